//! Builds as they should go.

use std::sync::Arc;

use lvhost_packer::{
    BuildVariable, BuildVariables, CallError, Communicator, Failure, HookEvent, Run,
};
use rmpv::Value;

use crate::core::{Client, Core, Running, field, map, soon};
use crate::plugin::{Connected, Guest, Script, Thing, connect, script};
use crate::session::Stream;

/// A build that only provisions `guest`.
pub(crate) fn provision(guest: Arc<Guest>) -> Script {
    script(move |run: Run| {
        let guest: Arc<dyn Communicator> = guest.clone();
        async move {
            let variables: BuildVariables = [("Port", BuildVariable::Integer(5985))]
                .into_iter()
                .collect();
            run.hook
                .run(HookEvent::Provision, &variables, Some(guest), &run.cancel)
                .await?;
            Ok(None)
        }
    })
}

/// A provisioner: what core does between the request for a hook and its answer.
pub(crate) struct Provisioner {
    pub(crate) core: Core,
    pub(crate) guest: Client,
}

impl Provisioner {
    /// Takes up the hook of a running build.
    pub(crate) async fn begin(core: &Core, running: &mut Running) -> (Self, crate::core::Request) {
        let hook = running.expect("Hook.Run").await;
        let id = field(&hook.argument, "StreamId").as_u64().unwrap() as u32;
        let guest = Client::new(core.dial(id).await);
        let core = core.clone();
        (Self { core, guest }, hook)
    }

    /// Starts a command with all its streams.
    pub(crate) async fn start(&self, command: &str) -> Result<Command, String> {
        let (stdin_id, stdin) = self.core.accept();
        let (stdout_id, stdout) = self.core.accept();
        let (stderr_id, stderr) = self.core.accept();
        let (response_id, response) = self.core.accept();
        let argument = map([
            ("Command", command.into()),
            ("StdinStreamId", stdin_id.into()),
            ("StdoutStreamId", stdout_id.into()),
            ("StderrStreamId", stderr_id.into()),
            ("ResponseStreamId", response_id.into()),
        ]);
        let answer = self.guest.call("Communicator.Start", argument);
        let (answer, stdin, stdout, stderr, response) =
            tokio::join!(answer, stdin, stdout, stderr, response);
        let mut command = Command {
            stdin,
            stdout,
            stderr,
            response,
        };
        match answer {
            Ok(_) => Ok(command),
            Err(error) => {
                command.finish();
                Err(error)
            }
        }
    }
}

pub(crate) struct Command {
    pub(crate) stdin: Stream,
    pub(crate) stdout: Stream,
    pub(crate) stderr: Stream,
    pub(crate) response: Stream,
}

impl Command {
    pub(crate) fn finish(&mut self) {
        for stream in [
            &mut self.stdin,
            &mut self.stdout,
            &mut self.stderr,
            &mut self.response,
        ] {
            stream.finish();
        }
    }

    /// Reads what is printed, then how the command ended.
    pub(crate) async fn end(mut self) -> (Vec<u8>, Vec<u8>, i64) {
        let (stdout, stderr) = (self.stdout.read_to_end(), self.stderr.read_to_end());
        let (stdout, stderr) = soon("the end of the output", async {
            tokio::join!(stdout, stderr)
        })
        .await;
        let response = soon("an exit status", self.response.read_to_end()).await;
        self.finish();
        (stdout, stderr, exit_status(&response))
    }
}

/// Reads `CommandFinished{ExitStatus}`, by an independent decoder of gob.
fn exit_status(mut bytes: &[u8]) -> i64 {
    let mut decoder = gobwire::Decoder::new();
    loop {
        let (width, length) = gobwire::parse_length_prefix(bytes).unwrap().unwrap();
        let (message, rest) = bytes[width..].split_at(length);
        bytes = rest;
        if decoder.push_message(message).unwrap() == gobwire::Progress::Ready {
            let mut finished = gobwire::Dynamic::default();
            decoder.decode_into(&mut finished).unwrap();
            return match finished.value {
                gobwire::Value::Struct(fields) => match fields[..] {
                    [Some(gobwire::Value::Int(status))] => status,
                    [None] => 0,
                    _ => panic!("{fields:?}"),
                },
                other => panic!("{other:?}"),
            };
        }
    }
}

#[tokio::test]
async fn a_build_from_its_options_to_its_artifact() {
    let guest = Arc::new(Guest::default());
    let communicator = Arc::clone(&guest);
    let Connected { core, builder, .. } = connect(script(move |run: Run| {
        let communicator: Arc<dyn Communicator> = communicator.clone();
        async move {
            run.ui.say("first").await?;
            assert_eq!(run.ui.ask("well?").await?, "well");
            let error = run.ui.ask("again?").await.unwrap_err();
            assert_eq!(error, CallError::Remote("no available tty".to_owned()));
            let variables = [
                ("Port", BuildVariable::Integer(5985)),
                ("Password", BuildVariable::Secret("hunter2".into())),
            ];
            let variables: BuildVariables = variables.into_iter().collect();
            let hook = |event| {
                run.hook
                    .run(event, &variables, Some(communicator.clone()), &run.cancel)
            };
            hook(HookEvent::Provision).await?;
            hook(HookEvent::CleanUp).await?;
            run.ui.say("last").await?;
            Ok(Some(Thing::artifact()))
        }
    }))
    .await;

    let spec = builder
        .call("Builder.ConfigSpec", Value::Nil)
        .await
        .unwrap();
    assert!(
        field(&spec, "ConfigSpec")
            .as_slice()
            .unwrap()
            .ends_with(b"cty.String")
    );
    let options = map([("packer_debug", false.into())]);
    let argument = map([("Configs", Value::Array(vec![options]))]);
    let prepared = builder.call("Builder.Prepare", argument).await.unwrap();
    let expected = map([
        ("GeneratedVars", Value::Array(vec!["Extra".into()])),
        ("Warnings", Value::Array(vec!["careful".into()])),
        ("Error", Value::Nil),
    ]);
    assert_eq!(prepared, expected);

    let mut running = core.run(&builder).await;
    assert_eq!(running.said().await, "first");
    running.expect("Ui.Ask").await.answer(Ok("well".into()));
    running
        .expect("Ui.Ask")
        .await
        .answer(Err("no available tty"));

    let (provisioner, hook) = Provisioner::begin(&core, &mut running).await;
    assert_eq!(
        field(&hook.argument, "Name").as_str(),
        Some("packer_provision")
    );
    let data = field(&hook.argument, "Data");
    assert_eq!(field(data, "Port").as_i64(), Some(5985));
    assert_eq!(field(data, "Password").as_str(), Some("hunter2"));

    // A file goes up, and its progress is relayed while that is not answered yet.
    let (id, reader) = core.accept();
    let info = map([
        ("N", "up.txt".into()),
        ("S", 7.into()),
        ("M", 0o640.into()),
        ("T", Value::Ext(-1, vec![0; 8])),
    ]);
    let argument = map([
        ("Path", "/up".into()),
        ("ReaderStreamId", id.into()),
        ("FileInfo", info),
    ]);
    let upload = provisioner.guest.call("Communicator.Upload", argument);
    let feeding = async {
        let mut reader = reader.await;
        reader.write(b"con").await;
        let bar = async {
            let argument = map([("Src", "up.txt".into()), ("TotalSize", 7.into())]);
            let id = provisioner
                .guest
                .call("Ui.NewTrackProgress", argument)
                .await
                .unwrap();
            let add = format!("Ui{}.Add", id.as_str().unwrap());
            provisioner.guest.call(&add, 3.into()).await.unwrap();
        };
        let core = async {
            let request = running.expect("Ui.NewTrackProgress").await;
            assert_eq!(field(&request.argument, "TotalSize").as_i64(), Some(7));
            request.answer(Ok("up.txtT2lXf".into()));
            let request = running.expect("Uiup.txtT2lXf.Add").await;
            assert_eq!(request.argument.as_i64(), Some(3));
            request.answer(Ok(Value::Nil));
        };
        tokio::join!(bar, core);
        reader.write(b"tent").await;
        reader.finish();
    };
    let (uploaded, ()) = soon("an upload", async { tokio::join!(upload, feeding) }).await;
    assert_eq!(uploaded, Ok(Value::Nil));
    {
        let files = guest.files.lock().unwrap();
        let (bytes, info) = &files["/up"];
        let info = info.as_ref().unwrap();
        assert_eq!(bytes, b"content");
        assert_eq!(
            (&info.name[..], info.size, info.permissions),
            ("up.txt", 7, 0o640)
        );
    }

    // And down.
    let (id, writer) = core.accept();
    let argument = map([("Path", "/up".into()), ("WriterStreamId", id.into())]);
    let download = provisioner.guest.call("Communicator.Download", argument);
    let received = async {
        let mut writer = writer.await;
        let bytes = writer.read_to_end().await;
        writer.finish();
        bytes
    };
    let (downloaded, received) =
        soon("a download", async { tokio::join!(download, received) }).await;
    assert_eq!(
        (downloaded, &received[..]),
        (Ok(Value::Nil), &b"content"[..])
    );

    // Folders are the guest's own business.
    for method in ["UploadDir", "DownloadDir"] {
        let argument = map([
            ("Dst", "d".into()),
            ("Src", "s/".into()),
            ("Exclude", Value::Nil),
        ]);
        let method = format!("Communicator.{method}");
        assert_eq!(
            provisioner.guest.call(&method, argument).await,
            Ok(Value::Nil)
        );
    }
    assert_eq!(*guest.events.lock().unwrap(), ["s/ → d []", "d ← s/ []"]);

    // What provisioners say arrives under the name they gave it, errors come back.
    let message = provisioner.guest.call("Ui.Message", "from there".into());
    let relayed = async {
        let request = running.expect("Ui.Message").await;
        assert_eq!(request.argument.as_str(), Some("from there"));
        request.answer(Err("not today"));
    };
    let (answer, ()) = tokio::join!(message, relayed);
    assert_eq!(answer, Err("not today".to_owned()));

    // Commands end in every way there is.
    for (command, status) in [
        ("exit 0", 0),
        ("exit 255", 255),
        ("signal 9", 137),
        ("vanish", 2_300_218),
    ] {
        let command = provisioner.start(command).await.unwrap();
        assert_eq!(command.end().await.2, status);
    }
    let error = provisioner.start("fly").await.err();
    assert_eq!(error.as_deref(), Some("no such command: fly"));
    let mut command = provisioner.start("cat").await.unwrap();
    command.stdin.write(b"to and fro").await;
    command.stdin.finish();
    assert_eq!(command.end().await, (b"to and fro".to_vec(), vec![], 0));

    // Only the response is there for what prints nothing.
    let (id, response) = core.accept();
    let argument = map([
        ("Command", "exit 7".into()),
        ("ResponseStreamId", id.into()),
    ]);
    let (answer, mut response) = tokio::join!(
        provisioner.guest.call("Communicator.Start", argument),
        response
    );
    assert_eq!(answer, Ok(Value::Nil));
    assert_eq!(exit_status(&response.read_to_end().await), 7);
    response.finish();

    drop(provisioner);
    hook.answer(Ok(Value::Nil));
    let cleanup = running.expect("Hook.Run").await;
    assert_eq!(
        field(&cleanup.argument, "Name").as_str(),
        Some("packer_cleanup_provision")
    );
    cleanup.answer(Ok(Value::Nil));
    assert_eq!(running.said().await, "last");

    let id = running.result().await.unwrap().as_u64().unwrap() as u32;
    let artifact = Client::new(core.dial(id).await);
    let cases = [
        ("BuilderId", Value::Nil, "test.thing".into()),
        ("Id", Value::Nil, "thing-1".into()),
        ("String", Value::Nil, "a thing".into()),
        (
            "Files",
            Value::Nil,
            Value::Array(vec!["/a".into(), "/b".into()]),
        ),
        ("State", "generated_data".into(), map([("Port", 22.into())])),
        ("State", "Size".into(), 5985.into()),
        ("State", "par.artifact.metadata".into(), Value::Nil),
    ];
    for (method, argument, expected) in cases {
        let answer = artifact.call(&format!("Artifact.{method}"), argument).await;
        assert_eq!(answer, Ok(expected), "{method}");
    }
    let destroyed = artifact.call("Artifact.Destroy", Value::Nil).await;
    assert_eq!(destroyed, Err("it is in use".to_owned()));
    drop(artifact);
    assert_eq!(
        soon("the end of all streams", core.session.violations()).await,
        [""; 0]
    );
}

#[tokio::test]
async fn a_hundred_megabytes_of_output() {
    const BYTES: usize = 100_000_000;
    let Connected { core, builder, .. } = connect(provision(Arc::default())).await;
    let mut running = core.run(&builder).await;
    let (provisioner, hook) = Provisioner::begin(&core, &mut running).await;
    let mut command = provisioner.start(&format!("print {BYTES}")).await.unwrap();
    let mut received = 0;
    loop {
        let bytes = soon("output", command.stdout.read()).await;
        if bytes.is_empty() {
            break;
        }
        received += bytes.len();
    }
    assert_eq!(received, BYTES);
    assert_eq!(command.end().await, (vec![], b"done".to_vec(), 0));
    drop(provisioner);
    hook.answer(Ok(Value::Nil));
    assert_eq!(running.result().await, Ok(0.into()));
    assert_eq!(
        soon("the end of all streams", core.session.violations()).await,
        [""; 0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_commands_at_once() {
    let Connected { core, builder, .. } = connect(provision(Arc::default())).await;
    let mut running = core.run(&builder).await;
    let (provisioner, hook) = Provisioner::begin(&core, &mut running).await;
    let provisioner = Arc::new(provisioner);
    let commands = (0..50u8).map(|number| {
        let provisioner = Arc::clone(&provisioner);
        tokio::spawn(async move {
            let mut command = provisioner.start("cat").await.unwrap();
            // More than fits into a window: both directions have to move.
            let input = vec![number; 700_000];
            let mut stdin = command.stdin.clone();
            let expected = input.clone();
            tokio::spawn(async move {
                stdin.write(&input).await;
                stdin.finish();
            });
            let mut output = Vec::new();
            while output.len() < expected.len() {
                let bytes = soon("output", command.stdout.read()).await;
                assert!(!bytes.is_empty(), "the output of {number} ends early");
                output.extend(bytes);
            }
            assert!(
                output == expected,
                "the output of {number} is not its input"
            );
            assert_eq!(command.end().await, (vec![], vec![], 0));
        })
    });
    for command in commands.collect::<Vec<_>>() {
        command.await.unwrap();
    }
    drop(provisioner);
    hook.answer(Ok(Value::Nil));
    assert_eq!(running.result().await, Ok(0.into()));
    assert_eq!(
        soon("the end of all streams", core.session.violations()).await,
        [""; 0]
    );
}

#[tokio::test]
async fn a_progress_bar_counts_every_byte_and_goes() {
    let Connected { core, builder, .. } = connect(script(|run: Run| async move {
        let progress = run.ui.track_progress("image.qcow2", 10, 1000).await?;
        let mut image = progress.track(&[0; 900][..]);
        tokio::io::copy(&mut image, &mut tokio::io::sink()).await?;
        progress.advance(90);
        progress.close().await;
        run.ui.machine("done", &["a".to_owned()]).await?;
        Err::<_, Failure>("that was all".into())
    }))
    .await;
    let mut running = core.run(&builder).await;
    let request = running.expect("Ui.NewTrackProgress").await;
    let expected = [
        ("Src", "image.qcow2".into()),
        ("TotalSize", 1000.into()),
        ("CurrentSize", 10.into()),
    ];
    assert_eq!(request.argument, map(expected));
    request.answer(Ok("image.qcow2x".into()));
    let mut counted = 0;
    while counted < 990 {
        let request = running.expect("Uiimage.qcow2x.Add").await;
        counted += request.argument.as_u64().unwrap();
        request.answer(Ok(Value::Nil));
    }
    assert_eq!(counted, 990);
    running
        .expect("Uiimage.qcow2x.Close")
        .await
        .answer(Ok(Value::Nil));
    let request = running.expect("Ui.Machine").await;
    let expected = [
        ("Category", "done".into()),
        ("Args", Value::Array(vec!["a".into()])),
    ];
    assert_eq!(request.argument, map(expected));
    request.answer(Ok(Value::Nil));
    assert_eq!(running.result().await, Err("that was all".to_owned()));
}
