//! A caller that costs next to nothing: it shares the machine with the server it measures, so it
//! knows just enough HTTP for one connection that is kept.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Outcome;

#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    key: String,
    body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, key: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream: BufReader::new(stream), key: key.to_owned(), body: Vec::new() })
    }

    /// The body of a 200.
    pub(crate) fn get(&mut self, path: &str) -> Outcome<&[u8]> {
        self.send("GET", path, "", 200)
    }

    /// The body of a 201.
    pub(crate) fn post(&mut self, path: &str, body: &str) -> Outcome<&[u8]> {
        self.send("POST", path, body, 201)
    }

    fn send(&mut self, method: &str, path: &str, body: &str, expected: u16) -> Outcome<&[u8]> {
        let (status, answer) = self.ask(method, path, body)?;
        if status == expected {
            Ok(answer)
        } else {
            Err(format!("{method} {path}: {status} {}", String::from_utf8_lossy(answer)).into())
        }
    }

    /// The status and the body, whatever they are.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &str) -> Outcome<(u16, &[u8])> {
        let request = request(method, path, &self.key, body);
        self.exchange(request.as_bytes())
    }

    /// Sends a whole request; answers the status and the body.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Outcome<(u16, &[u8])> {
        self.stream.get_mut().write_all(request)?;
        let status = self.head()?;
        self.stream.read_exact(&mut self.body)?;
        Ok((status, &self.body))
    }

    /// Reads up to the body, and makes room for it.
    fn head(&mut self) -> Outcome<u16> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).ok_or("the server hung up")?.parse()?;
        let mut length = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse()?);
            }
        }
        self.body.resize(length.ok_or("an answer without content-length")?, 0);
        Ok(status)
    }
}

/// A whole request.
pub(crate) fn request(method: &str, path: &str, key: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
