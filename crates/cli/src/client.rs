//! One blocking connection to one node, as a RESP client.
//!
//! Not the client library: no pool, no retry, no cluster. A command of the hand asks one node one thing at a time.
//!
//! 1. Replies come in the order of requests, and pushes, which answer nothing, are skipped.
//! 2. After an error the connection is of no more use: what was asked last may or may not have happened.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::BytesMut;
use wire::Reply;
use wire::resp::{ReplyDecoder, encode_request};

/// Longest wait for a connection, in milliseconds, for each address that a name stands for.
const CONNECT_MS_MAX: u64 = 3_000;
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

/// A connection to a node's client port.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    decoder: ReplyDecoder,
    buffer: BytesMut,
}

impl Client {
    /// Connects to `address`, `HOST:PORT`, and asks for RESP3; a server without it goes on in RESP2.
    ///
    /// # Errors
    /// The name stands for nothing, nobody listens there, or what listens does not speak RESP.
    pub(crate) fn connect(address: &str) -> io::Result<Self> {
        Self::connect_within(address, None)
    }

    /// The same, with a longest wait for each answer, after which the connection is of no more use.
    ///
    /// # Errors
    /// As [`Client::connect`], and when no answer came in time.
    pub(crate) fn connect_within(address: &str, answer_within: Option<Duration>) -> io::Result<Self> {
        let stream = dial(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(answer_within)?;
        stream.set_write_timeout(answer_within)?;
        let mut client = Self { stream, decoder: ReplyDecoder::default(), buffer: BytesMut::new() };
        client.call(&["HELLO", "3"])?;
        Ok(client)
    }

    /// Sends a request and waits for its reply, which may be an error of the server's.
    ///
    /// # Errors
    /// The connection broke, no answer came in time, or what came is not RESP.
    pub(crate) fn call<A: AsRef<[u8]>>(&mut self, words: &[A]) -> io::Result<Reply> {
        let mut request = BytesMut::new();
        encode_request(words, &mut request);
        self.stream.write_all(&request)?;
        loop {
            match self.next()? {
                Reply::Push(_) => {}
                reply => return Ok(reply),
            }
        }
    }

    fn next(&mut self) -> io::Result<Reply> {
        let mut bytes = [0; READ_BYTES];
        loop {
            let decoded = self.decoder.decode(&mut self.buffer);
            match decoded.map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))? {
                Some(reply) => return Ok(reply),
                None => match self.stream.read(&mut bytes) {
                    Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the node closed it")),
                    Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer came in time"));
                    }
                    Err(error) => return Err(error),
                },
            }
        }
    }
}

/// Tries each address that the name stands for; the last failure is the one told.
fn dial(address: &str) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name stands for no address");
    let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
    for address in addresses {
        match TcpStream::connect_timeout(&address, Duration::from_millis(CONNECT_MS_MAX)) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::Client;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use wire::Reply;

    /// A server that answers each read with the next of these.
    fn server(answers: Vec<&'static [u8]>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for answer in answers {
                assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
                stream.write_all(answer).unwrap();
            }
        });
        address
    }

    #[test]
    fn pushes_are_skipped_and_replies_kept() {
        let address = server(vec![b"-NOPROTO no\r\n", b">1\r\n$2\r\nhi\r\n+OK\r\n"]);
        let mut client = Client::connect(&address).unwrap();
        assert_eq!(client.call(&["SET", "a", "b"]).unwrap(), Reply::ok());
    }

    #[test]
    fn a_closed_connection_and_a_stranger_are_errors() {
        let mut client = Client::connect(&server(vec![b"+OK\r\n"])).unwrap();
        let closed = client.call(&["GET", "a"]).unwrap_err();
        assert!(closed.to_string().contains("closed") || closed.raw_os_error().is_some(), "{closed}");
        let stranger = Client::connect(&server(vec![b"HTTP/1.1 400 Bad Request\r\n\r\n"])).unwrap_err();
        assert_eq!(stranger.to_string(), "ERR Protocol error: unknown reply type 'H'");
    }

    #[test]
    fn nobody_there_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        assert_eq!(Client::connect(&address).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    }
}
