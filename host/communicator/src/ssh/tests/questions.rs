//! What a server asks in place of the password.

use super::peer::{Peer, Script};
use super::*;

/// One round of a server's questions: each text, and whether what is typed is shown.
type Asked = Vec<(&'static str, bool)>;

#[tokio::test]
async fn the_password_answers_one_hidden_question_and_no_other() {
    let hidden = ("Password: ", false);
    let table: [(&str, Vec<Asked>, bool, usize); 7] = [
        ("the usual", vec![vec![hidden]], true, 1),
        ("an announcement first", vec![vec![], vec![hidden]], true, 1),
        (
            "an announcement afterwards",
            vec![vec![hidden], vec![]],
            true,
            1,
        ),
        (
            "asked for again",
            vec![vec![hidden], vec![hidden]],
            false,
            1,
        ),
        (
            "a code besides",
            vec![vec![hidden, ("Code: ", false)]],
            false,
            0,
        ),
        (
            "a code afterwards",
            vec![vec![hidden], vec![("Code: ", false)]],
            false,
            1,
        ),
        (
            "for everybody to see",
            vec![vec![("Name: ", true)]],
            false,
            0,
        ),
    ];
    for (name, rounds, works, answered) in table {
        let peer = Peer::start(Script {
            password: Some("secret".to_owned()),
            questions: true,
            rounds,
            ..Script::default()
        })
        .await;
        let mut settings = settings(peer.address, vec![password("secret")]);
        settings.handshake_attempts = Some(1);
        let connected = connect(settings).await;
        assert_eq!(connected.is_ok(), works, "{name}");
        if let Err(error) = connected {
            let message = full(&error);
            assert!(
                message.contains("more than the password"),
                "{name}: {message}"
            );
        }
        assert_eq!(peer.answers(), vec!["secret"; answered], "{name}");
    }
}
