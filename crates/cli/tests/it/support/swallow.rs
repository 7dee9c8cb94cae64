//! A proxy that passes a request on and keeps the answer to itself.

use super::ports::free_port;
use std::io::Read;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// For one connection. Its client hears nothing; when this is dropped, the connection ends.
pub(crate) struct Swallow {
    port: u16,
    answer: Receiver<String>,
    _open: Sender<()>,
}

impl Swallow {
    /// In front of that port.
    pub(crate) fn start(target: u16) -> Self {
        let port = free_port();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a port");
        let ((swallowed, answer), (open, closed)) = (channel(), channel());
        std::thread::spawn(move || relay(&listener, target, &swallowed, &closed));
        Self { port, answer, _open: open }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The answer, once it is there.
    pub(crate) fn answer(&self) -> String {
        self.answer.recv_timeout(Duration::from_secs(10)).expect("an answer")
    }
}

fn relay(listener: &TcpListener, target: u16, swallowed: &Sender<String>, closed: &Receiver<()>) {
    let (client, _) = listener.accept().expect("a client");
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).expect("a server");
    let (mut from, mut to) = (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
    // It ends with either connection.
    let requests = std::thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
    let mut answer = vec![0; 16 << 10];
    let length = server.read(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    // Nobody may look at it, and nothing is ever sent here.
    let _ = (swallowed.send(answer), closed.recv());
    let _ = client.shutdown(Shutdown::Both);
    requests.join().expect("requests are passed on");
}
