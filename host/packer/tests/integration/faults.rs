//! Builds that are stopped, peers that die, are slow, or talk nonsense.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use lvhost_packer::{BuildVariables, CallError, Communicator, Failure, HookError, HookEvent, Run};
use proptest::prelude::*;
use rmpv::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::core::{Core, map, soon};
use crate::plugin::{Connected, Guest, connect, script, start};
use crate::protocol::{Provisioner, provision};
use crate::session::Session;

#[tokio::test]
async fn a_cancelled_build_tells_the_provisioners_and_waits_for_none() {
    let guest = Arc::new(Guest::default());
    let communicator = Arc::clone(&guest);
    let Connected { core, builder, .. } = connect(script(move |run: Run| {
        let guest: Arc<dyn Communicator> = communicator.clone();
        async move {
            let variables = BuildVariables::new();
            let hook = run
                .hook
                .run(HookEvent::Provision, &variables, Some(guest), &run.cancel);
            assert_eq!(hook.await, Err(HookError::Cancelled));
            run.ui.say("cleaned up").await?;
            Err::<_, Failure>("the build was cancelled".into())
        }
    }))
    .await;
    let mut running = core.run(&builder).await;
    let (provisioner, hook) = Provisioner::begin(&core, &mut running).await;
    let mut command = provisioner.start("hang").await.unwrap();

    assert_eq!(
        builder.call("Builder.Cancel", Value::Nil).await,
        Ok(Value::Nil)
    );
    running.expect("Hook.Cancel").await.answer(Ok(Value::Nil));
    // The hook itself is answered never; its command is given up all the same.
    assert_eq!(running.said().await, "cleaned up");
    let output = soon("the end of the output", command.stdout.read_to_end()).await;
    assert!(output.is_empty());
    // Without a word on how it ended: it did not.
    let response = soon("the end of the response", command.response.read_to_end()).await;
    assert!(response.is_empty());
    assert_eq!(
        running.result().await,
        Err("the build was cancelled".to_owned())
    );
    assert_eq!(*guest.events.lock().unwrap(), ["given up"]);

    command.finish();
    drop((provisioner, hook));
    assert_eq!(
        soon("the end of all streams", core.session.violations()).await,
        [""; 0]
    );
}

#[tokio::test]
async fn a_cancellation_without_a_build_is_nothing() {
    let Connected { core, builder, .. } = connect(provision(Arc::default())).await;
    assert_eq!(
        builder.call("Builder.Cancel", Value::Nil).await,
        Ok(Value::Nil)
    );
    let mut running = core.run(&builder).await;
    running.expect("Hook.Run").await.answer(Ok(Value::Nil));
    assert_eq!(running.result().await, Ok(0.into()));
}

#[tokio::test]
async fn when_core_dies_the_build_cleans_up_before_the_plugin_ends() {
    let cleaned = Arc::new(AtomicBool::new(false));
    let finish = Arc::new(Notify::new());
    let guest = Arc::new(Guest::default());
    let (mark, go_on, communicator) = (cleaned.clone(), finish.clone(), guest.clone());
    let Connected {
        core,
        builder,
        served,
    } = connect(script(move |run: Run| {
        let (mark, go_on) = (mark.clone(), go_on.clone());
        let guest: Arc<dyn Communicator> = communicator.clone();
        async move {
            let variables = BuildVariables::new();
            let hook = run
                .hook
                .run(HookEvent::Provision, &variables, Some(guest), &run.cancel);
            assert!(hook.await.is_err());
            assert!(
                run.cancel.is_cancelled(),
                "a lost hook is taken for a failed one"
            );
            assert_eq!(
                run.ui.say("is there anybody?").await,
                Err(CallError::Disconnected)
            );
            assert_eq!(run.ui.ask("or not?").await, Err(CallError::Disconnected));
            go_on.notified().await;
            mark.store(true, Ordering::SeqCst);
            Err::<_, Failure>("the build was cancelled".into())
        }
    }))
    .await;
    let mut running = core.run(&builder).await;
    let (provisioner, _hook) = Provisioner::begin(&core, &mut running).await;
    let _command = provisioner.start("hang").await.unwrap();
    core.session.die();
    tokio::task::yield_now().await;
    assert!(
        !served.is_finished(),
        "the plugin may not end before the build has cleaned up"
    );
    finish.notify_one();
    assert!(soon("the end of the plugin", served).await.unwrap().is_ok());
    assert!(cleaned.load(Ordering::SeqCst));
    assert_eq!(*guest.events.lock().unwrap(), ["given up"]);
}

#[tokio::test]
async fn a_core_that_leaves_at_once_leaves_nothing_running() {
    let (core, plugin) = tokio::io::duplex(1024);
    let served = start(plugin, provision(Arc::default()));
    drop(core);
    let error = soon("the end of the plugin", served)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.to_string(), "the connection to Packer is gone");
}

/// Time is not real here: it jumps when nothing else is to be done.
#[tokio::test(start_paused = true)]
async fn a_core_that_accepts_late_is_waited_for_but_not_forever() {
    let Connected { core, builder, .. } = connect(provision(Arc::default())).await;
    let mut running = core.run(&builder).await;
    let (provisioner, hook) = Provisioner::begin(&core, &mut running).await;

    let (id, stream) = core.listen();
    let argument = map([("Path", "/late".into()), ("ReaderStreamId", id.into())]);
    let late = async {
        let mut stream = stream.await.unwrap();
        tokio::time::sleep(Duration::from_secs(4)).await;
        stream.write(&id.to_le_bytes()).await;
        stream.finish();
    };
    let upload = provisioner.guest.call("Communicator.Upload", argument);
    let (uploaded, ()) = tokio::join!(upload, late);
    assert_eq!(uploaded, Ok(Value::Nil));

    let (id, stream) = core.listen();
    let argument = map([("Path", "/never".into()), ("ReaderStreamId", id.into())]);
    let error = provisioner
        .guest
        .call("Communicator.Upload", argument)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        format!("Packer did not accept stream {id} within 15 s")
    );
    stream.await.unwrap().finish();

    drop(provisioner);
    hook.answer(Ok(Value::Nil));
    assert_eq!(running.result().await, Ok(0.into()));
    assert_eq!(core.session.violations().await, [""; 0]);
}

#[tokio::test]
async fn streams_that_one_side_is_done_with_early_end_in_order() {
    let Connected { core, builder, .. } = connect(provision(Arc::default())).await;
    let mut running = core.run(&builder).await;
    let (provisioner, hook) = Provisioner::begin(&core, &mut running).await;

    // An upload that fails while the file is still being sent: more than a window of it.
    let (id, reader) = core.accept();
    let argument = map([("Path", "/full".into()), ("ReaderStreamId", id.into())]);
    let upload = provisioner.guest.call("Communicator.Upload", argument);
    let feeding = async {
        let mut reader = reader.await;
        reader.write(&vec![0; 1_000_000]).await;
        reader.finish();
    };
    let (uploaded, ()) = soon("an upload", async { tokio::join!(upload, feeding) }).await;
    assert_eq!(uploaded, Err("no space left on device".to_owned()));

    // A download of nothing: the end of the stream comes with the error.
    let (id, writer) = core.accept();
    let argument = map([("Path", "/nothing".into()), ("WriterStreamId", id.into())]);
    let download = provisioner.guest.call("Communicator.Download", argument);
    let received = async {
        let mut writer = writer.await;
        let bytes = writer.read_to_end().await;
        writer.finish();
        bytes
    };
    let (downloaded, received) =
        soon("a download", async { tokio::join!(download, received) }).await;
    assert_eq!(downloaded, Err("no such file: /nothing".to_owned()));
    assert!(received.is_empty());

    // A command that does not read its input, of which there is more than a window.
    let command = provisioner.start("exit 3").await.unwrap();
    let mut stdin = command.stdin.clone();
    soon("an end to the input", stdin.write(&vec![0; 1_000_000])).await;
    assert_eq!(command.end().await, (vec![], vec![], 3));

    // Output for which core has no use any more.
    let mut command = provisioner.start("print 1000").await.unwrap();
    command.stdout.finish();
    assert_eq!(command.end().await, (vec![b'x'; 1000], b"done".to_vec(), 0));

    drop(provisioner);
    hook.answer(Ok(Value::Nil));
    assert_eq!(running.result().await, Ok(0.into()));
    assert_eq!(
        soon("the end of all streams", core.session.violations()).await,
        [""; 0]
    );
}

#[tokio::test]
async fn what_runs_in_the_guest_ends_with_its_hook() {
    let guest = Arc::new(Guest::default());
    let Connected { core, builder, .. } = connect(provision(Arc::clone(&guest))).await;
    let mut running = core.run(&builder).await;
    let (provisioner, hook) = Provisioner::begin(&core, &mut running).await;
    let mut command = provisioner.start("hang").await.unwrap();
    // A provisioner's own timeout: core ends the hook and forgets the command.
    hook.answer(Err("context canceled"));
    assert_eq!(running.result().await, Err("context canceled".to_owned()));
    assert!(
        soon("the end of the output", command.stdout.read_to_end())
            .await
            .is_empty()
    );
    assert_eq!(*guest.events.lock().unwrap(), ["given up"]);
    command.finish();
    drop(provisioner);
    assert_eq!(
        soon("the end of all streams", core.session.violations()).await,
        [""; 0]
    );
}

#[tokio::test]
async fn without_a_communicator_provisioners_are_told_so() {
    let Connected { core, builder, .. } = connect(script(|run: Run| async move {
        let variables = BuildVariables::new();
        run.hook
            .run(HookEvent::Provision, &variables, None, &run.cancel)
            .await?;
        Ok(None)
    }))
    .await;
    let mut running = core.run(&builder).await;
    let (provisioner, hook) = Provisioner::begin(&core, &mut running).await;
    let argument = map([("Dst", "d".into()), ("Src", "s".into())]);
    let error = provisioner
        .guest
        .call("Communicator.UploadDir", argument)
        .await
        .unwrap_err();
    assert!(error.contains("communicator = \"none\""), "{error}");
    hook.answer(Ok(Value::Nil));
    assert_eq!(running.result().await, Ok(0.into()));
}

#[tokio::test]
async fn nonsense_is_answered_with_errors_and_the_connection_lives() {
    let Connected { builder, core, .. } = connect(provision(Arc::default())).await;
    let prepare = |name: &str| {
        let options = map([(name, "as wanted".into())]);
        map([("Configs", Value::Array(vec![options]))])
    };
    let cases = [
        ("Builder.Nope", Value::Nil, "can't find method Builder.Nope"),
        ("Nope.Run", 1.into(), "can't find method Nope.Run"),
        ("Nope", Value::Nil, "ill-formed: Nope"),
        ("Builder.Run", "x".into(), "not the number of a stream"),
        (
            "Builder.Run",
            (1u64 << 32).into(),
            "not the number of a stream",
        ),
        (
            "Builder.Prepare",
            Value::Nil,
            "options can't be read: the argument is not a map",
        ),
        (
            "Builder.Prepare",
            prepare("panic"),
            "internal error of the plugin: Builder.Prepare",
        ),
    ];
    for (method, argument, expected) in cases {
        let error = builder.call(method, argument).await.unwrap_err();
        assert!(error.contains(expected), "{method}: {error}");
    }
    let prepared = builder
        .call("Builder.Prepare", prepare("error"))
        .await
        .unwrap();
    let message = map([("Message", "as wanted".into())]);
    assert_eq!(crate::core::field(&prepared, "Error"), &message);

    // A stream that nobody waits for is closed again.
    let mut stream = core.session.open();
    stream.write(&77u32.to_le_bytes()).await;
    assert!(
        soon("the end of the stream", stream.read())
            .await
            .is_empty()
    );
    stream.finish();
    drop(builder);
    assert_eq!(
        soon("the end of all streams", core.session.violations()).await,
        [""; 0]
    );
}

/// The header of a frame.
fn frame(kind: u8, flags: u16, stream: u32, length: u32) -> Vec<u8> {
    let mut frame = vec![0, kind];
    frame.extend(flags.to_be_bytes());
    frame.extend(stream.to_be_bytes());
    frame.extend(length.to_be_bytes());
    frame
}

/// Bytes that a core might send that has gone mad: frames with everything in them wrong or right.
fn mad() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..40);
    let piece = prop_oneof![
        body.clone(),
        (0..5u8, 0..16u16, 0..6u32, any::<u32>())
            .prop_map(|(kind, flags, stream, length)| frame(kind, flags, stream, length)),
        (0..16u16, 0..6u32, body.clone()).prop_map(|(flags, stream, body)| {
            [frame(0, flags, stream, body.len() as u32), body].concat()
        }),
        // The main stream, and then anything on it.
        body.prop_map(|body| {
            let open = [frame(1, 1, 1, 0), frame(0, 0, 1, 4), vec![0; 4]].concat();
            [open, frame(0, 0, 1, body.len() as u32), body].concat()
        }),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

thread_local! {
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// Notes panics on the thread they happen on, in whatever task.
fn watch_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICKED.set(true);
            before(panic);
        }));
    });
}

proptest! {
    #[test]
    fn a_core_gone_mad_ends_the_connection_and_nothing_else(bytes in mad()) {
        watch_for_panics();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        let ended = runtime.block_on(async {
            let (mut core, plugin) = tokio::io::duplex(1024 * 1024);
            let served = start(plugin, provision(Arc::default()));
            core.write_all(&bytes).await.unwrap();
            core.shutdown().await.unwrap();
            core.read_to_end(&mut Vec::new()).await.unwrap();
            // A day of the runtime's own time.
            tokio::time::timeout(Duration::from_secs(86_400), served).await.is_ok()
        });
        prop_assert!(ended);
        prop_assert!(!PANICKED.get());
    }
}

#[tokio::test]
async fn a_message_without_end_ends_its_stream_before_it_fills_the_memory() {
    let (socket, plugin) = tokio::io::duplex(64 * 1024);
    let _served = start(plugin, provision(Arc::default()));
    let core = Core::start(Session::start(socket));
    let mut main = core.dial(0).await;
    // A text of four billion bytes is announced.
    main.write(&[0xdb, 0xff, 0xff, 0xff, 0xff]).await;
    assert!(soon("the end of the stream", main.read()).await.is_empty());
    main.finish();
    assert_eq!(
        soon("the end of all streams", core.session.violations()).await,
        [""; 0]
    );
}
