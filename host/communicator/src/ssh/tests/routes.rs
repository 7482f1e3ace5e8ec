//! Ways to the guest that are not straight.

use super::peer::{Peer, Script};
use super::proxies::{self, Rules};
use super::*;

fn proxy(address: SocketAddr, credentials: Option<(&str, &str)>) -> Proxy {
    Proxy {
        host: address.ip().to_string(),
        port: address.port(),
        credentials: credentials.map(|(username, password)| ProxyCredentials {
            username: username.to_owned(),
            password: SecretString::from(password),
        }),
    }
}

fn bastion(address: SocketAddr, authentication: Authentication) -> Route {
    Route::Bastion(Bastion {
        host: address.ip().to_string(),
        port: address.port(),
        username: "jump".to_owned(),
        authentication: vec![authentication],
    })
}

/// A guest that lets in by password.
fn guest_script() -> Script {
    Script {
        password: Some("secret".to_owned()),
        ..Script::default()
    }
}

/// A bastion that lets in by password.
fn bastion_script() -> Script {
    Script {
        password: Some("jump".to_owned()),
        forwards: true,
        ..Script::default()
    }
}

fn through(route: Route, guest: SocketAddr) -> Settings {
    let mut settings = settings(guest, vec![password("secret")]);
    settings.route = route;
    settings
}

async fn works(ssh: &Ssh) {
    let mut output = Collected::default();
    let status = ssh.run(&Command::new("both"), &mut output).await.unwrap();
    assert!(status.success());
    assert_eq!(output.stdout, b"to stdout\n");
}

/// The proxies, each as a function from its rules to the route through it.
async fn through_both(
    rules: Rules,
    credentials: Option<(&str, &str)>,
) -> [(proxies::Proxy, Route, &'static str); 2] {
    let socks = proxies::Proxy::socks5(rules.clone()).await;
    let http = proxies::Proxy::http(rules).await;
    let routes = (
        Route::Socks5(proxy(socks.address, credentials)),
        Route::HttpConnect(proxy(http.address, credentials)),
    );
    [
        (socks, routes.0, "the SOCKS5 proxy"),
        (http, routes.1, "the HTTP proxy"),
    ]
}

#[tokio::test]
async fn a_proxy_leads_to_the_guest() {
    let known = ("me", "pass:word");
    for credentials in [None, Some(known)] {
        let rules = Rules {
            credentials: credentials.map(|(user, word)| (user.to_owned(), word.to_owned())),
            ..Rules::default()
        };
        for (_proxy, route, name) in through_both(rules, credentials).await {
            let guest = Peer::start(guest_script()).await;
            let ssh = connect(through(route, guest.address)).await;
            let ssh = ssh.unwrap_or_else(|error| panic!("{name}: {}", full(&error)));
            works(&ssh).await;
            ssh.disconnect().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_a_proxy_refuses_is_not_tried_again() {
    let locked = Rules {
        credentials: Some(("me".to_owned(), "right".to_owned())),
        ..Rules::default()
    };
    let forbids = Rules {
        forbids: true,
        ..Rules::default()
    };
    for (rules, credentials, reasons) in [
        (&locked, None, ["it wants a user and a password"; 2]),
        (
            &locked,
            Some(("me", "wrong")),
            ["it does not take the user and password"; 2],
        ),
        (
            &forbids,
            None,
            [
                "its rules forbid connections to the guest",
                "it answered 403 Forbidden",
            ],
        ),
    ] {
        let routes = through_both(rules.clone(), credentials).await;
        for ((proxy, route, name), reason) in routes.into_iter().zip(reasons) {
            let guest = Peer::start(guest_script()).await;
            let error = connect(through(route, guest.address)).await.unwrap_err();
            assert_eq!(
                full(&error),
                format!(
                    "cannot get to {} through {name} {}: {reason}",
                    guest.address, proxy.address
                )
            );
            assert_eq!(guest.connections(), 0);
        }
    }
}

#[tokio::test]
async fn the_leg_that_failed_is_named() {
    let (closed, _socket) = Peer::reserve();
    for (proxy, route, name) in through_both(Rules::default(), None).await {
        let error = ended_at_the_first(through(route, closed), Stage::Reach).await;
        let expected = format!("{name} {} cannot connect to the guest: ", proxy.address);
        assert!(error.contains(&expected), "{error}");
    }
    let guest = Peer::start(guest_script()).await;
    for (route, name) in [
        (Route::Socks5(proxy(closed, None)), "the SOCKS5 proxy"),
        (Route::HttpConnect(proxy(closed, None)), "the HTTP proxy"),
        (bastion(closed, password("jump")), "the bastion jump@"),
    ] {
        let error = ended_at_the_first(through(route, guest.address), Stage::Gateway).await;
        let refused = format!("{closed}: cannot connect: Connection refused");
        assert!(error.contains(name) && error.contains(&refused), "{error}");
    }
    let jump = Peer::start(bastion_script()).await;
    let route = bastion(jump.address, password("jump"));
    let error = ended_at_the_first(through(route.clone(), closed), Stage::Reach).await;
    let expected = format!(
        "the bastion jump@{} cannot connect to the guest: ",
        jump.address
    );
    assert!(error.contains(&expected), "{error}");
    let mut wrong = through(route, guest.address);
    wrong.authentication = vec![password("wrong")];
    let error = ended_at_the_first(wrong, Stage::Authenticate).await;
    assert!(
        error.contains("login refused: the password was refused"),
        "{error}"
    );
}

/// The reason of the first failed attempt, which is of this stage.
async fn ended_at_the_first(settings: Settings, stage: Stage) -> String {
    let (sender, mut failures) = tokio::sync::mpsc::unbounded_channel();
    let mut observer = move |attempt: &Attempt| {
        if let Outcome::Failed { failure, .. } = &attempt.outcome {
            let _ = sender.send(failure.clone());
        }
    };
    let deadline = Instant::now() + ENOUGH;
    let failure = tokio::select! {
        connected = connect_until(settings, deadline, &mut observer) => panic!("{connected:?}"),
        failure = failures.recv() => failure.unwrap(),
    };
    assert_eq!(failure.stage, stage, "{failure:?}");
    failure.reason
}

#[tokio::test]
async fn a_bastion_is_logged_in_to_once() {
    let jump = Peer::start(bastion_script()).await;
    let guest = Peer::start(Script {
        hang_ups: 2,
        refusals: 1,
        ..guest_script()
    })
    .await;
    let route = bastion(jump.address, password("jump"));
    let ssh = connect(through(route, guest.address)).await.unwrap();
    works(&ssh).await;
    // A guest that is lost is come back to on the same way.
    let status = ssh
        .run(&Command::new("drop"), &mut Collected::default())
        .await;
    assert_eq!(status.unwrap(), ExitStatus::Missing);
    works(&ssh).await;
    assert_eq!(jump.connections(), 1);
    assert_eq!(jump.logins(), ["password"]);
    assert_eq!(guest.logins(), ["password"; 3]);
    ssh.disconnect().await.unwrap();
}

#[tokio::test]
async fn a_guest_behind_a_bastion_may_come_up_late() {
    let jump = Peer::start(bastion_script()).await;
    let (address, socket) = Peer::reserve();
    let mut waiting = Some(socket);
    let mut guest = None;
    let mut observer = |attempt: &Attempt| {
        if let Outcome::Failed { failure, .. } = &attempt.outcome {
            assert_eq!(failure.stage, Stage::Reach);
            if let Some(socket) = waiting.take() {
                guest = Some(Peer::on(socket, guest_script()));
            }
        }
    };
    let settings = through(bastion(jump.address, password("jump")), address);
    let deadline = Instant::now() + ENOUGH;
    let ssh = connect_until(settings, deadline, &mut observer)
        .await
        .unwrap();
    works(&ssh).await;
}

#[tokio::test]
async fn a_bastion_that_refuses_is_not_tried_again() {
    let guest = Peer::start(guest_script()).await;
    for (script, given, expected) in [
        (
            bastion_script(),
            "wrong",
            "login refused: the password was refused and the connection closed; the bastion \
             accepts password",
        ),
        (
            Script {
                forwards: false,
                ..bastion_script()
            },
            "jump",
            "it does not forward connections to the guest: see AllowTcpForwarding and PermitOpen \
             in its sshd_config",
        ),
    ] {
        let jump = Peer::start(script).await;
        let route = bastion(jump.address, password(given));
        let error = connect(through(route, guest.address)).await.unwrap_err();
        assert_eq!(
            full(&error),
            format!(
                "cannot get to {} through the bastion jump@{}: {expected}",
                guest.address, jump.address
            )
        );
        assert_eq!(jump.connections(), 1);
    }
    assert_eq!(guest.connections(), 0);
}

#[tokio::test]
async fn a_bastion_that_goes_away_takes_the_guest_with_it() {
    let jump = Peer::start(bastion_script()).await;
    let cable = proxies::Relay::start(jump.address).await;
    let guest = Peer::start(guest_script()).await;
    let mut settings = through(bastion(cable.address(), password("jump")), guest.address);
    settings.reconnect_timeout = Duration::from_millis(300);
    let ssh = connect(settings).await.unwrap();
    works(&ssh).await;
    /// Pulls the cable when the command speaks.
    struct Pull(Option<proxies::Relay>);
    impl Output for Pull {
        fn stdout(&mut self, _: &[u8]) {
            self.0 = None;
        }
        fn stderr(&mut self, _: &[u8]) {}
    }
    let status = ssh.run(&Command::new("hang"), &mut Pull(Some(cable))).await;
    assert_eq!(status.unwrap(), ExitStatus::Missing);
    let mut output = Collected::default();
    let error = ssh.run(&Command::new("both"), &mut output).await;
    let error = error.unwrap_err();
    assert!(error.is_connection());
    assert!(
        full(&error).contains("the bastion jump@"),
        "{}",
        full(&error)
    );
}

#[derive(Debug, Default)]
struct Person {
    answers: Option<Vec<&'static str>>,
    asked: Mutex<Vec<Round>>,
}

#[async_trait]
impl Questions for Person {
    async fn answer(&self, round: &Round) -> Option<Vec<SecretString>> {
        self.asked.lock().unwrap().push(round.clone());
        let answers = self.answers.clone()?;
        Some(answers.into_iter().map(SecretString::from).collect())
    }
}

#[tokio::test]
async fn a_bastion_may_ask_questions() {
    let guest = Peer::start(guest_script()).await;
    for (answers, expected) in [
        (Some(vec!["jump"]), None),
        (
            Some(vec!["wrong"]),
            Some("answers to its questions was refused"),
        ),
        (None, Some("its questions were not answered")),
        (Some(vec![]), Some("its questions were not answered")),
    ] {
        let jump = Peer::start(Script {
            questions: true,
            ..bastion_script()
        })
        .await;
        let person = Arc::new(Person {
            answers,
            ..Person::default()
        });
        let questions = Arc::clone(&person) as Arc<dyn Questions>;
        let route = bastion(jump.address, Authentication::Interactive(questions));
        let connected = connect(through(route, guest.address)).await;
        match (connected, expected) {
            (Ok(ssh), None) => works(&ssh).await,
            (Err(error), Some(words)) => {
                assert!(full(&error).contains(words), "{}", full(&error));
            }
            (connected, _) => panic!("{connected:?}"),
        }
        let asked = person.asked.lock().unwrap();
        assert_eq!(asked.len(), 1);
        assert_eq!(
            asked[0].server,
            format!("the bastion jump@{}", jump.address)
        );
        let prompt = Prompt {
            text: "Password: ".to_owned(),
            echo: false,
        };
        assert_eq!(asked[0].prompts, [prompt]);
    }
}

#[tokio::test]
async fn a_bastion_needs_a_way_to_log_in() {
    let guest = Peer::start(guest_script()).await;
    let route = Route::Bastion(Bastion {
        host: "127.0.0.1".to_owned(),
        port: 22,
        username: "jump".to_owned(),
        authentication: Vec::new(),
    });
    let error = connect(through(route, guest.address)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no way to authenticate at the bastion jump@127.0.0.1:22 was given: name a key, a password \
         or an agent"
    );
}
