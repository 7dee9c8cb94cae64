//! A made-up node: says hello, says how it stands, and answers the rest as it is told.

use crate::support::{identity, token};
use anabranch_causality::{Origin, ShardId, Token};
use anabranch_protocol::{Answer, Ask, Hello, Reply, Request, Role, Standing, parts};
use anabranch_transport::{Connection, Endpoint, FrameReceiver, FrameSender, Limits};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// What the node does about a request.
pub(crate) enum Act {
    /// Answers with that token.
    Answer(Token, Answer),
    /// Answers in the name of another node.
    By(&'static str, Token, Answer),
    /// Answers after a while.
    After(Duration, Token, Answer),
    /// Never answers.
    Ignore,
    /// Closes the connection.
    Hang,
    /// Sends these frames instead of an answer.
    Frames(Vec<Vec<u8>>),
}

type Script = dyn FnMut(&Request) -> Act + Send;

pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) addr: String,
    shared: Arc<Shared>,
    // Ends its tasks when dropped, in whatever runtime the test is.
    runtime: Option<tokio::runtime::Runtime>,
}

struct Shared {
    name: &'static str,
    script: Mutex<Box<Script>>,
    standing: Mutex<Standing>,
    /// How long it takes to say how it stands: how far away it seems.
    distance: Duration,
    asked: Mutex<Vec<Request>>,
    closed: Mutex<Vec<String>>,
}

impl Node {
    /// A leader that has applied up to `seq` of origin 1.
    pub(crate) fn start(
        name: &'static str,
        distance_ms: u64,
        script: impl FnMut(&Request) -> Act + Send + 'static,
    ) -> Self {
        Self::start_as(Role::Leader, name, distance_ms, script)
    }

    pub(crate) fn start_as(
        role: Role,
        name: &'static str,
        distance_ms: u64,
        script: impl FnMut(&Request) -> Act + Send + 'static,
    ) -> Self {
        let vector = token(1).vector(ShardId(0)).cloned().unwrap_or_default();
        let standing = Standing { region: format!("region-{name}"), role, behind_ms: Some(0), lagging: false, vector };
        let shared = Arc::new(Shared {
            name,
            script: Mutex::new(Box::new(script)),
            standing: Mutex::new(standing),
            distance: Duration::from_millis(distance_ms),
            asked: Mutex::default(),
            closed: Mutex::default(),
        });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let endpoint = {
            let _inside = runtime.enter();
            let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
            Endpoint::bind(loopback, Arc::new(identity(&format!("region-{name}"), name)), Limits::default())
                .expect("a port")
        };
        let addr = endpoint.local_addr().to_string();
        runtime.spawn(accept(endpoint, shared.clone()));
        Self { name, addr, shared, runtime: Some(runtime) }
    }

    /// It has applied up to `seq` of origin 1, and is that far behind.
    pub(crate) fn stand(&self, seq: u64, behind_ms: Option<u64>) {
        let mut standing = self.shared.standing.lock().expect("whole");
        standing.vector = token(seq).vector(ShardId(0)).cloned().unwrap_or_default();
        standing.behind_ms = behind_ms;
    }

    /// What it was asked, standings left out.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.shared.asked.lock().expect("whole").clone()
    }

    /// Why its connections ended.
    pub(crate) fn closed(&self) -> Vec<String> {
        self.shared.closed.lock().expect("whole").clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(endpoint: Endpoint, shared: Arc<Shared>) {
    while let Some(accepted) = endpoint.accept().await {
        let Ok(connection) = accepted else { continue };
        tokio::spawn(serve(connection.clone(), shared.clone()));
        let shared = shared.clone();
        tokio::spawn(async move {
            let reason = connection.closed().await.to_string();
            shared.closed.lock().expect("whole").push(reason);
        });
    }
}

async fn serve(connection: Connection, shared: Arc<Shared>) {
    while let Ok((sender, receiver)) = connection.accept_stream().await {
        tokio::spawn(stream(connection.clone(), shared.clone(), sender, receiver));
    }
}

async fn stream(connection: Connection, shared: Arc<Shared>, mut sender: FrameSender, mut receiver: FrameReceiver) {
    let name = shared.name;
    let ours = Hello {
        cluster: "test".into(),
        region: format!("region-{name}"),
        node: name.into(),
        role: shared.standing.lock().expect("whole").role,
        origin: Origin(1),
    };
    let Ok(Some(frame)) = receiver.recv().await else { return };
    let theirs = Hello::decode(&frame).expect("a hello");
    assert_eq!((theirs.role, theirs.node.as_str()), (Role::Client, connection.peer().node.as_str()));
    sender.send(&ours.encode()).await.expect("hello");
    let (outbox, mut frames) = mpsc::unbounded_channel::<Vec<u8>>();
    tokio::spawn(async move {
        while let Some(frame) = frames.recv().await {
            if sender.send(&frame).await.is_err() {
                return;
            }
        }
    });
    while let Ok(Some(frame)) = receiver.recv().await {
        let request = Request::decode(&frame).expect("a request");
        act(&connection, &shared, request, outbox.clone());
    }
}

fn act(connection: &Connection, shared: &Arc<Shared>, request: Request, outbox: mpsc::UnboundedSender<Vec<u8>>) {
    let (id, name) = (request.id, shared.name);
    let frames_out = outbox.clone();
    let say = move |by: &str, token: Token, answer: Answer| {
        let reply = Reply { id, token, by: by.to_owned(), answer };
        for part in parts(id, &reply.encode()) {
            // The client may be gone.
            let _ = outbox.send(part);
        }
    };
    if request.ask == Ask::Standing {
        let (shared, distance) = (shared.clone(), shared.distance);
        tokio::spawn(async move {
            tokio::time::sleep(distance).await;
            let standing = shared.standing.lock().expect("whole").clone();
            let token = Token::of(ShardId(0), standing.vector.clone());
            say(name, token, Answer::Standing(standing));
        });
        return;
    }
    let act = (shared.script.lock().expect("whole"))(&request);
    shared.asked.lock().expect("whole").push(request);
    match act {
        Act::Answer(token, answer) => say(name, token, answer),
        Act::By(by, token, answer) => say(by, token, answer),
        Act::After(delay, token, answer) => {
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                say(name, token, answer);
            });
        }
        Act::Ignore => {}
        Act::Hang => connection.close(9, "the node died"),
        Act::Frames(frames) => {
            let _ = frames.into_iter().try_for_each(|frame| frames_out.send(frame));
        }
    }
}
