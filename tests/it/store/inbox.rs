//! Clauses on deliveries.

use bytes::Bytes;
use jiff::Timestamp;
use phasebot::{
    domain::id::ForgeName,
    port::store::{Accepted, DeliveryFilter, DeliveryRow, DeliveryState, NewDelivery, Partition, Pending},
};

use super::{
    Database,
    given::{accept, at, decide, delivery, state},
};

pub(crate) async fn a_delivery_is_kept_once(database: &dyn Database) {
    let store = database.open().await;
    let seq = accept(&*store, delivery("a")).await;
    assert_eq!(store.accept(delivery("a")).await, Ok(Accepted::Duplicate(seq)));

    let other =
        NewDelivery { body: Bytes::from_static(b"{\"forged\":true}"), event: "push".to_owned(), ..delivery("a") };
    assert_eq!(store.accept(other).await, Ok(Accepted::Duplicate(seq)));
    let kept = store.delivery(seq).await.unwrap().unwrap();
    assert_eq!((kept.row.event.as_str(), &kept.body), ("issues", &delivery("a").body), "the first one stands");

    decide(&*store, seq, DeliveryState::Done, at(1)).await;
    assert_eq!(store.accept(delivery("a")).await, Ok(Accepted::Duplicate(seq)), "also once it is decided");
    assert_eq!(state(&*store, seq).await, DeliveryState::Done);
}

pub(crate) async fn the_same_id_of_another_hook_or_forge_is_another_delivery(database: &dyn Database) {
    let store = database.open().await;
    let first = accept(&*store, delivery("a")).await;
    let hook = accept(&*store, NewDelivery { hook: String::new(), ..delivery("a") }).await;
    let forge = accept(&*store, NewDelivery { forge: ForgeName("ghes".to_owned()), ..delivery("a") }).await;
    assert!(first < hook && hook < forge);
    // Names are not concatenated: ("7", "7a") is not ("77", "a").
    accept(&*store, NewDelivery { hook: "7".to_owned(), delivery: "7a".to_owned(), ..delivery("") }).await;
}

pub(crate) async fn which_ids_were_taken_in_is_told_whatever_their_hook(database: &dyn Database) {
    let store = database.open().await;
    accept(&*store, delivery("a")).await;
    accept(&*store, NewDelivery { hook: String::new(), ..delivery("b") }).await;
    accept(&*store, NewDelivery { forge: ForgeName("ghes".to_owned()), ..delivery("c") }).await;
    // An id in GitHub's form, which stores may represent differently.
    let github = "72d3162e-cc78-11e3-81ab-4c9367dc0958";
    accept(&*store, delivery(github)).await;
    let asked = ["a", "b", "c", "d", github].map(str::to_owned);
    let found = store.taken_in(&ForgeName::github(), &asked).await.unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [github, "a", "b"]);
    assert!(store.taken_in(&ForgeName::github(), &[]).await.unwrap().is_empty());
}

pub(crate) async fn a_delivery_comes_back_as_it_was_given(database: &dyn Database) {
    let store = database.open().await;
    let seq = accept(&*store, delivery("a")).await;
    let kept = store.delivery(seq).await.unwrap().unwrap();
    let expected = DeliveryRow {
        target: None,
        seq,
        forge: ForgeName::github(),
        hook: "77".to_owned(),
        delivery: "a".to_owned(),
        event: "issues".to_owned(),
        action: Some("opened".to_owned()),
        repo: Some(1),
        installation: Some(10),
        received_at: at(0),
        decided_at: None,
        state: DeliveryState::Pending,
        note: String::new(),
        attempts: 0,
    };
    assert_eq!(kept.row, expected);
    assert_eq!(kept.body, delivery("a").body);
    assert_eq!(store.deliveries(&DeliveryFilter::default()).await.unwrap(), [expected]);

    let bare = NewDelivery { action: None, repo: None, installation: None, ..delivery("b") };
    let row = store.delivery(accept(&*store, bare).await).await.unwrap().unwrap().row;
    assert_eq!((row.action, row.repo, row.installation), (None, None, None));
    assert_eq!(store.delivery(999).await, Ok(None));
    assert_eq!(store.delivery(u64::MAX).await, Ok(None));
}

pub(crate) async fn numbers_of_64_bits_come_back(database: &dyn Database) {
    let store = database.open().await;
    for id in [0, 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
        let new = NewDelivery { repo: Some(id), installation: Some(id), ..delivery(&id.to_string()) };
        let seq = accept(&*store, new).await;
        let row = store.delivery(seq).await.unwrap().unwrap().row;
        assert_eq!((row.repo, row.installation), (Some(id), Some(id)));
        let filter = DeliveryFilter { repo: Some(id), ..DeliveryFilter::default() };
        assert_eq!(store.deliveries(&filter).await.unwrap().len(), 1);
    }
    assert_eq!(store.pending(0, usize::MAX).await.unwrap().last().unwrap().partition.repo, Some(u64::MAX));
}

pub(crate) async fn bodies_of_every_size_come_back(database: &dyn Database) {
    let store = database.open().await;
    for size in [0_usize, 1, 4096, 300_000, 5_000_000] {
        // Not JSON, and hard to compress: any body is stored as it arrived.
        let mut seed = 12_345_u32;
        let noise = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        });
        let body: Bytes = noise.take(size).collect();
        let seq = accept(&*store, NewDelivery { body: body.clone(), ..delivery(&size.to_string()) }).await;
        assert!(store.delivery(seq).await.unwrap().unwrap().body == body, "{size} bytes");
    }
}

pub(crate) async fn hostile_text_comes_back(database: &dyn Database) {
    let store = database.open().await;
    let text = "'; DROP TABLE delivery; -- \u{202e}\u{1f600} \" \\ %_ \n\t";
    let new =
        NewDelivery { event: text.to_owned(), action: Some(text.to_owned()), hook: text.to_owned(), ..delivery(text) };
    let seq = accept(&*store, new.clone()).await;
    assert_eq!(store.accept(new).await, Ok(Accepted::Duplicate(seq)));
    let row = store.delivery(seq).await.unwrap().unwrap().row;
    assert_eq!((row.delivery.as_str(), row.event.as_str(), row.action.as_deref()), (text, text, Some(text)));
    let filter =
        DeliveryFilter { delivery: Some(text.to_owned()), event: Some(text.to_owned()), ..DeliveryFilter::default() };
    assert_eq!(store.deliveries(&filter).await.unwrap().len(), 1);
}

pub(crate) async fn times_are_kept_in_milliseconds(database: &dyn Database) {
    let store = database.open().await;
    let exact = Timestamp::from_millisecond(1_790_000_000_123).unwrap();
    let finer = Timestamp::from_microsecond(1_790_000_000_123_456).unwrap();
    for (id, given) in [("exact", exact), ("finer", finer)] {
        let seq = accept(&*store, NewDelivery { received_at: given, ..delivery(id) }).await;
        assert_eq!(store.delivery(seq).await.unwrap().unwrap().row.received_at, exact, "{id}");
    }
}

pub(crate) async fn pending_is_in_order_of_arrival(database: &dyn Database) {
    let store = database.open().await;
    let mut seqs = Vec::new();
    for (id, repo) in [("a", Some(1)), ("b", None), ("c", Some(2)), ("d", Some(1))] {
        // The order of arrival counts, not the time in the delivery.
        let received_at = at(100 - i64::try_from(seqs.len()).unwrap());
        seqs.push(accept(&*store, NewDelivery { repo, received_at, ..delivery(id) }).await);
    }
    let partition = |repo| Partition { forge: ForgeName::github(), repo };
    let all = store.pending(0, 10).await.unwrap();
    let expected: Vec<_> = [Some(1), None, Some(2), Some(1)]
        .into_iter()
        .zip(&seqs)
        .map(|(repo, seq)| Pending { seq: *seq, partition: partition(repo) })
        .collect();
    assert_eq!(all, expected);
    assert_eq!(store.pending(seqs[1], 10).await.unwrap(), expected[2..]);
    assert_eq!(store.pending(0, 2).await.unwrap(), expected[..2]);
    assert_eq!(store.pending(0, 0).await.unwrap(), []);
    assert_eq!(store.pending(u64::MAX, 10).await.unwrap(), []);

    decide(&*store, seqs[0], DeliveryState::Ignored, at(1)).await;
    decide(&*store, seqs[2], DeliveryState::Pending, at(1)).await;
    let left: Vec<_> = store.pending(0, 10).await.unwrap().iter().map(|pending| pending.seq).collect();
    assert_eq!(left, seqs[1..], "what is decided waits no more, what is tried again keeps its place");
}

pub(crate) async fn what_can_not_be_routed_is_quarantined(database: &dyn Database) {
    let store = database.open().await;
    let new = NewDelivery { quarantined: Some("not JSON".to_owned()), ..delivery("a") };
    let seq = accept(&*store, new).await;
    let row = store.delivery(seq).await.unwrap().unwrap().row;
    assert_eq!((row.state, row.note.as_str()), (DeliveryState::Quarantined, "not JSON"));
    assert_eq!(store.pending(0, 10).await.unwrap(), []);
    assert_eq!(store.accept(delivery("a")).await, Ok(Accepted::Duplicate(seq)));
}

pub(crate) async fn lists_are_newest_first_and_filtered(database: &dyn Database) {
    let store = database.open().await;
    let mut seqs = Vec::new();
    for n in 0..60 {
        let event = if n % 2 == 0 { "push" } else { "issues" }.to_owned();
        seqs.push(accept(&*store, NewDelivery { event, repo: Some(n % 3), ..delivery(&n.to_string()) }).await);
    }
    decide(&*store, seqs[5], DeliveryState::Dead, at(1)).await;
    seqs.reverse();
    let list = async |filter: DeliveryFilter| -> Vec<u64> {
        store.deliveries(&filter).await.unwrap().iter().map(|row| row.seq).collect()
    };
    let any = DeliveryFilter::default;
    assert_eq!(list(any()).await, seqs[..50], "50 if nothing is said");
    assert_eq!(list(DeliveryFilter { limit: 3, ..any() }).await, seqs[..3]);
    assert_eq!(list(DeliveryFilter { limit: usize::MAX, ..any() }).await, seqs);
    assert_eq!(list(DeliveryFilter { state: Some(DeliveryState::Dead), ..any() }).await, [seqs[54]]);
    assert_eq!(list(DeliveryFilter { delivery: Some("7".to_owned()), ..any() }).await, [seqs[52]]);
    let both = DeliveryFilter { event: Some("push".to_owned()), repo: Some(2), ..any() };
    assert_eq!(list(both).await, seqs.iter().skip(3).step_by(6).copied().collect::<Vec<_>>());
    let none = DeliveryFilter {
        delivery: Some("7".to_owned()),
        state: Some(DeliveryState::Dead),
        event: Some("issues".to_owned()),
        ..any()
    };
    assert_eq!(list(none).await, [0_u64; 0]);
}

pub(crate) async fn replay_puts_back_what_does_not_wait(database: &dyn Database) {
    let store = database.open().await;
    let seq = accept(&*store, delivery("a")).await;
    assert_eq!(store.replay(seq).await, Ok(false), "it waits already");
    assert_eq!(store.replay(999).await, Ok(false));
    for end in [
        DeliveryState::Done,
        DeliveryState::Ignored,
        DeliveryState::Quarantined,
        DeliveryState::Dead,
        DeliveryState::Dropped,
    ] {
        decide(&*store, seq, end, at(1)).await;
        assert_eq!(state(&*store, seq).await, end);
        assert_eq!(store.replay(seq).await, Ok(true), "{end:?}");
        let row = store.delivery(seq).await.unwrap().unwrap().row;
        assert_eq!((row.state, row.note.as_str(), row.attempts, row.decided_at), (DeliveryState::Pending, "", 0, None));
        assert_eq!(store.pending(0, 10).await.unwrap().len(), 1);
    }
}

pub(crate) async fn drop_ends_what_is_open(database: &dyn Database) {
    let store = database.open().await;
    for (open, ends) in [
        (DeliveryState::Pending, true),
        (DeliveryState::Quarantined, true),
        (DeliveryState::Dead, true),
        (DeliveryState::Done, false),
        (DeliveryState::Ignored, false),
        (DeliveryState::Dropped, false),
    ] {
        let seq = accept(&*store, delivery(open.as_str())).await;
        decide(&*store, seq, open, at(1)).await;
        assert_eq!(store.drop_delivery(seq, "by hand").await, Ok(ends), "{open:?}");
        let row = store.delivery(seq).await.unwrap().unwrap().row;
        assert_eq!(row.state, if ends { DeliveryState::Dropped } else { open });
        assert_eq!(row.note, if ends { "by hand" } else { "note" });
    }
    assert_eq!(store.pending(0, 10).await.unwrap(), []);
    assert_eq!(store.drop_delivery(999, "by hand").await, Ok(false));
}

pub(crate) async fn what_was_accepted_is_there_after_opening_again(database: &dyn Database) {
    let store = database.open().await;
    let seq = accept(&*store, delivery("a")).await;
    drop(store);
    let store = database.open().await;
    assert_eq!(store.delivery(seq).await.unwrap().unwrap().body, delivery("a").body);
    assert_eq!(store.accept(delivery("a")).await, Ok(Accepted::Duplicate(seq)));
}
