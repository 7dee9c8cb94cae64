//! HTTP/1.1 with connections that are kept: one request at a time on each, as bytes on a socket.

use super::rate;
use crate::setting::Until;
use anyhow::Context as _;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends requests on that many connections; answers per second. A count is of each connection. `request` makes the bytes of
/// the one with that number.
///
/// # Errors
/// When an answer is not 2xx, or not understood.
pub fn drive(
    addr: SocketAddr,
    connections: usize,
    until: Until,
    request: impl Fn(u64) -> Vec<u8> + Clone + Send + 'static,
) -> anyhow::Result<f64> {
    rate(connections, |first, start| {
        let request = request.clone();
        async move {
            let mut stream = TcpStream::connect(addr).await?;
            stream.set_nodelay(true)?;
            let (mut answers, mut answer) = (0, Vec::with_capacity(4096));
            while until.goes_on(start.elapsed(), answers) {
                stream.write_all(&request(first as u64 + answers * connections as u64)).await?;
                read(&mut stream, &mut answer).await?;
                answers += 1;
            }
            Ok(answers)
        }
    })
}

pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// With a body of JSON.
pub fn put(path: &str, body: &str) -> Vec<u8> {
    with_body("PUT", path, body)
}

/// With a body of JSON.
#[cfg(feature = "peers")]
pub fn post(path: &str, body: &str) -> Vec<u8> {
    with_body("POST", path, body)
}

fn with_body(method: &str, path: &str, body: &str) -> Vec<u8> {
    let (json, length) = ("content-type: application/json", body.len());
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{json}\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Reads one answer, and leaves the buffer empty.
async fn read(stream: &mut TcpStream, answer: &mut Vec<u8>) -> anyhow::Result<()> {
    loop {
        anyhow::ensure!(stream.read_buf(answer).await? > 0, "the server closed the connection");
        let Some(bytes) = length(answer)? else { continue };
        if answer.len() >= bytes {
            anyhow::ensure!(answer.len() == bytes, "more came than one answer");
            answer.clear();
            return Ok(());
        }
    }
}

/// How many bytes the whole answer has, once its head is there.
fn length(answer: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(head) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&answer[..head])?;
    anyhow::ensure!(text.starts_with("HTTP/1.1 2"), "not 2xx: {}", String::from_utf8_lossy(answer));
    let body = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim())
    });
    let body: usize = body.context("an answer without its length")?.parse()?;
    Ok(Some(head + 4 + body))
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(length(answer).expect("understood"), Some(answer.len()));
        assert_eq!(length(&answer[..30]).expect("understood"), None);
        length(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").expect_err("not 2xx");
        length(b"HTTP/1.1 200 OK\r\n\r\n").expect_err("no length");
    }
}
