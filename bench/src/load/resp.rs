//! The protocol of Redis: bursts of commands on each connection, the next burst when all of the last were answered.

use super::rate;
use crate::setting::Until;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(5);

/// Sends commands in bursts on that many connections; answered commands per second. `command` makes the words of
/// the one with that number. With `after`, each burst ends with that command, which does not count.
///
/// # Errors
/// When an answer is not a number, or the one to `after` is none of a replica.
pub fn drive(
    addr: SocketAddr,
    connections: usize,
    burst: u64,
    until: Until,
    command: fn(u64) -> Vec<String>,
    after: Option<&'static [&'static str]>,
) -> anyhow::Result<f64> {
    rate(connections, |connection, start| async move {
        let mut client = Client::connect(addr).await?;
        let (mut answers, mut number) = (0, connection as u64 * burst);
        while until.goes_on(start.elapsed(), answers) {
            let mut bytes: Vec<u8> = (number..number + burst).flat_map(|number| encode(&command(number))).collect();
            bytes.extend(after.map(encode).unwrap_or_default());
            client.send(&bytes).await?;
            for _ in 0..burst {
                client.number().await?;
            }
            if after.is_some() {
                anyhow::ensure!(client.number().await? > 0, "no replica has it");
            }
            answers += burst;
            number += connections as u64 * burst;
        }
        Ok(answers)
    })
}

/// One connection.
struct Client {
    stream: BufReader<TcpStream>,
    line: Vec<u8>,
}

impl Client {
    async fn connect(addr: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), line: Vec::new() })
    }

    async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.get_mut().write_all(bytes).await?)
    }

    /// The next answer, which is a number.
    async fn number(&mut self) -> anyhow::Result<i64> {
        self.line.clear();
        anyhow::ensure!(self.stream.read_until(b'\n', &mut self.line).await? > 0, "the server closed the connection");
        let line = std::str::from_utf8(&self.line)?.trim_end();
        match line.strip_prefix(':') {
            Some(number) => Ok(number.parse()?),
            None => anyhow::bail!("the server says {line:?}"),
        }
    }
}

/// One command and the beginning of its answer, on a connection of its own.
pub fn ask(addr: SocketAddr, command: &[&str]) -> anyhow::Result<String> {
    let mut stream = std::net::TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&encode(command))?;
    let mut answer = [0; 1024];
    let bytes = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..bytes]).into_owned())
}

fn encode<S: AsRef<str>>(words: &[S]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words.iter().map(AsRef::as_ref) {
        bytes += &format!("${}\r\n{word}\r\n", word.len());
    }
    bytes.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn commands_are_arrays_of_strings() {
        assert_eq!(encode(&["WAIT", "1", "0"]), b"*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n");
    }
}
