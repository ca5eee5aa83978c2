//! Clauses on concurrent callers.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;
use phasebot::port::store::{Accepted, Commit, NewDelivery};

use super::{
    Database,
    given::{accept, at, delivery, fact, once, react, repo},
};

async fn spawn_all<T, F>(tasks: impl Iterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    join_all(tasks.map(tokio::spawn)).await.into_iter().map(Result::unwrap).collect()
}

pub(crate) async fn of_64_accepts_of_one_delivery_one_is_new(database: &dyn Database) {
    let store = database.open().await;
    let answers = spawn_all((0..64).map(|_| {
        let store = Arc::clone(&store);
        async move { store.accept(delivery("a")).await.unwrap() }
    }))
    .await;
    let new: Vec<_> = answers.iter().filter(|answer| matches!(answer, Accepted::New(_))).collect();
    let [Accepted::New(seq)] = new[..] else { panic!("{new:?}") };
    assert_eq!(answers.iter().filter(|answer| **answer == Accepted::Duplicate(*seq)).count(), 63);
}

pub(crate) async fn many_tasks_lose_nothing(database: &dyn Database) {
    let store = database.open().await;
    let seqs = spawn_all((0..400).map(|n| {
        let store = Arc::clone(&store);
        async move {
            let seq = accept(&*store, delivery(&n.to_string())).await;
            // An acknowledged delivery is visible to every later caller.
            assert!(store.delivery(seq).await.unwrap().is_some());
            seq
        }
    }))
    .await;
    assert_eq!(seqs.iter().collect::<BTreeSet<_>>().len(), 400);
    let pending = store.pending(0, 1000).await.unwrap();
    assert_eq!(pending.len(), 400);
    assert!(pending.is_sorted_by_key(|waiting| waiting.seq));
}

pub(crate) async fn two_handles_write_the_same_database(database: &dyn Database) {
    let handles = [database.open().await, database.open().await];
    let answers = spawn_all((0..200_usize).map(|n| {
        let store = Arc::clone(&handles[n % 2]);
        async move {
            // Each delivery arrives at both handles.
            let answer = store.accept(delivery(&(n / 2).to_string())).await.unwrap();
            let facts = vec![fact(&n.to_string(), "{}")];
            let effects = vec![once(&(n / 2).to_string(), react(1))];
            let commit = Commit { repo: Some(repo(1)), now: Some(at(1)), facts, effects, ..Commit::default() };
            store.commit(commit).await.unwrap();
            answer
        }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Accepted::New(_))).count(), 100);
    let new = NewDelivery { repo: Some(9), ..delivery("seen") };
    let seq = accept(&*handles[0], new).await;
    assert!(handles[1].delivery(seq).await.unwrap().is_some(), "the other sees it at once");
    for store in &handles {
        assert_eq!(store.pending(0, 1000).await.unwrap().len(), 101);
        assert_eq!(store.facts(&repo(1)).await.unwrap().len(), 200);
        assert_eq!(store.due_effects(at(1), 1000).await.unwrap().len(), 100);
    }
}
