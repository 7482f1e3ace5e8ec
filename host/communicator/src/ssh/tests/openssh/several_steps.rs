//! Log-ins of several steps (`AuthenticationMethods`), at guests and bastions.

use super::*;

/// PAM that asks nothing.
const ASKS_NOTHING: &str =
    "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n";
/// PAM that asks for the password.
const ASKS_ONCE: &str =
    "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n";
/// PAM that asks for it twice.
const ASKS_TWICE: &str = "auth required pam_unix.so\nauth required pam_unix.so\naccount required \
                          pam_permit.so\nsession required pam_permit.so\n";

/// A server that wants these steps, with PAM by these rules.
async fn server(methods: &str, rules: &str) -> Option<Server> {
    let lines = format!(
        "AuthenticationMethods {methods}\nUsePAM yes\nKbdInteractiveAuthentication yes\n\
         HostbasedAuthentication yes\n\
         Subsystem sftp internal-sftp"
    );
    let mounts = |folder: &Path| accounts(folder, "20000", rules);
    Server::among_mounts(|_| lines, mounts).await
}

/// Two keys that the server knows.
fn two_keys(server: &Server) -> [Authentication; 2] {
    let pairs = [(); 2].map(|()| keys::generate(Algorithm::Ed25519, "").unwrap());
    let lines: Vec<_> = pairs
        .iter()
        .map(|pair| pair.public_openssh.clone())
        .collect();
    server.authorize(&lines.join("\n"));
    pairs.map(|pair| Authentication::Key(pair.private_openssh))
}

/// Answers what is asked in rounds of one.
#[derive(Debug)]
struct Knows(&'static str);

#[async_trait]
impl Questions for Knows {
    async fn answer(&self, round: &Round) -> Option<Vec<SecretString>> {
        let answers = round.prompts.iter().map(|_| SecretString::from(self.0));
        Some(answers.collect())
    }
}

fn somebody() -> Authentication {
    Authentication::Interactive(Arc::new(Knows(ROOTS_PASSWORD)))
}

#[tokio::test]
async fn every_order_of_steps_leads_in() {
    for (methods, rules) in [
        ("publickey", ASKS_ONCE),
        ("publickey,password", ASKS_ONCE),
        ("password,publickey", ASKS_ONCE),
        ("publickey,keyboard-interactive", ASKS_NOTHING),
        ("keyboard-interactive,publickey", ASKS_NOTHING),
        ("publickey,keyboard-interactive", ASKS_ONCE),
        ("keyboard-interactive:pam,publickey", ASKS_ONCE),
        ("password,keyboard-interactive", ASKS_ONCE),
        ("keyboard-interactive,password", ASKS_ONCE),
        ("password,password", ASKS_ONCE),
        ("keyboard-interactive,keyboard-interactive", ASKS_ONCE),
        ("publickey,publickey", ASKS_ONCE),
        ("publickey,password,publickey", ASKS_ONCE),
        ("publickey,keyboard-interactive,password", ASKS_ONCE),
        ("hostbased,publickey password,publickey", ASKS_ONCE),
        (
            "gssapi-with-mic publickey,publickey,keyboard-interactive",
            ASKS_ONCE,
        ),
        ("any", ASKS_ONCE),
    ] {
        let Some(server) = server(methods, rules).await else {
            return;
        };
        let [one, two] = two_keys(&server);
        let secret = password(ROOTS_PASSWORD);
        for ways in [[&one, &two, &secret], [&secret, &two, &one]] {
            let mut settings = server.settings(one.clone());
            settings.authentication = ways.map(Clone::clone).to_vec();
            let ssh = connect(settings).await.unwrap_or_else(|error| {
                panic!("{methods}, {rules}: {}\n{}", full(&error), server.log())
            });
            assert!(
                run(&ssh, Command::new("true")).await.0.success(),
                "{methods}"
            );
            ssh.disconnect().await.unwrap();
        }
        // No try was wasted: a server counts them.
        let log = server.log();
        assert!(!log.contains("Failed "), "{methods}: {log}");
    }
}

#[tokio::test]
async fn a_key_alone_is_enough_where_nothing_is_asked() {
    for methods in [
        "publickey,keyboard-interactive",
        "keyboard-interactive,publickey",
    ] {
        let Some(server) = server(methods, ASKS_NOTHING).await else {
            return;
        };
        let ssh = server.connected().await;
        assert!(
            run(&ssh, Command::new("true")).await.0.success(),
            "{methods}"
        );
    }
}

#[tokio::test]
async fn a_bastion_may_want_several_steps_as_well() {
    let Some(guest) = server("keyboard-interactive,publickey", ASKS_ONCE).await else {
        return;
    };
    for (methods, rules, ways) in [
        (
            "publickey,password",
            ASKS_ONCE,
            vec![password(ROOTS_PASSWORD)],
        ),
        ("publickey,keyboard-interactive", ASKS_NOTHING, vec![]),
        (
            "keyboard-interactive,publickey",
            ASKS_TWICE,
            vec![somebody()],
        ),
        (
            "publickey,publickey,keyboard-interactive",
            ASKS_ONCE,
            vec![somebody()],
        ),
        (
            "password,keyboard-interactive",
            ASKS_ONCE,
            vec![password(ROOTS_PASSWORD), somebody()],
        ),
    ] {
        let Some(jump) = server(methods, rules).await else {
            return;
        };
        let mut settings = guest.settings(guest.new_key());
        settings.authentication.push(password(ROOTS_PASSWORD));
        let mut authentication = two_keys(&jump).to_vec();
        authentication.extend(ways);
        settings.route = Route::Bastion(Bastion {
            host: jump.address.ip().to_string(),
            port: jump.address.port(),
            username: user(),
            authentication,
        });
        let ssh = connect(settings)
            .await
            .unwrap_or_else(|error| panic!("{methods}: {}\n{}", full(&error), jump.log()));
        assert!(
            run(&ssh, Command::new("true")).await.0.success(),
            "{methods}"
        );
    }
}

#[tokio::test]
async fn a_step_that_fails_is_named_with_what_to_write() {
    for (methods, rules, with_password, expected) in [
        (
            "publickey,password",
            ASKS_ONCE,
            None,
            "the build's key was accepted; the guest wants one more step by password: set \
             ssh_password",
        ),
        (
            "publickey,password",
            ASKS_ONCE,
            Some("wrong"),
            "the build's key was accepted, the password was refused; the guest wants one more step \
             by password",
        ),
        (
            "publickey,keyboard-interactive",
            ASKS_ONCE,
            None,
            "there is no answer to what it asks: \"Password: \"",
        ),
        (
            "publickey,publickey",
            ASKS_ONCE,
            Some(ROOTS_PASSWORD),
            "the build's key was accepted; the guest wants one more step by publickey: give a key \
             that it knows, and that it has not had yet",
        ),
        (
            "publickey,hostbased",
            ASKS_ONCE,
            None,
            "the build's key was accepted; the guest wants one more step by hostbased: lvhost has no \
             hostbased",
        ),
    ] {
        let Some(server) = server(methods, rules).await else {
            return;
        };
        let mut settings = server.settings(server.new_key());
        settings.authentication.extend(with_password.map(password));
        let error = connect(settings).await.unwrap_err();
        let told = full(&error);
        assert!(
            told.contains(expected),
            "{methods}: {told}\n{}",
            server.log()
        );
    }
}
