//! `phasebot notify --test`: the built program and a receiver.

use std::{path::Path, process::Command};

use super::{
    SECRET,
    receiver::{Answer, Receiver, status},
};

/// Runs `phasebot notify --test ops`; returns its exit status, its output and its errors.
async fn notify(folder: &Path, variables: &[(&str, String)], target: &'static str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_phasebot"));
    command.args(["notify", "--test", target]).env_clear().env("NO_COLOR", "1").current_dir(folder);
    command.envs(variables.iter().map(|(key, value)| (format!("PHASEBOT_NOTICES__OPS__{key}"), value)));
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_sent_and_the_answer_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let url = format!("{}/hook?sig=hunter2", receiver.url);
    let of = |url: &str| [("KIND", "webhook".to_owned()), ("URL", url.to_owned()), ("SECRETS", SECRET.to_owned())];
    let (code, out, errors) = notify(folder.path(), &of(&url), "ops").await;
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("ops: the target accepted the test"), "{out}");
    let asked = receiver.asked();
    assert_eq!((asked.len(), asked[0].json()["type"].as_str()), (1, Some("notice.test")));
    standardwebhooks::Webhook::new(SECRET).unwrap().verify(&asked[0].body, &asked[0].headers).unwrap();

    receiver.answer(Answer::Status(403, None, r#"{"message":"no such channel\u001b[2J"}"#.to_owned()));
    let (code, _, errors) = notify(folder.path(), &of(&url), "ops").await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("notices.ops: not sent: 403: no such channel[2J"), "{errors}");
    receiver.answer(status(500));
    let (code, _, errors) = notify(folder.path(), &of(&url), "ops").await;
    assert!(code == Some(1) && errors.contains("in doubt: 500"), "{errors}");
    // Nothing listens there; the address is a secret.
    let (code, _, errors) = notify(folder.path(), &of("http://127.0.0.1:9/hook?sig=hunter2"), "ops").await;
    assert!(code == Some(1) && errors.contains("not sent: no answer"), "{errors}");
    assert!(!errors.contains("hunter2"), "{errors}");
    let (code, _, errors) = notify(folder.path(), &of(&url), "other").await;
    assert!(code == Some(1) && errors.contains("no target [notices.other]: there are ops"), "{errors}");
}
