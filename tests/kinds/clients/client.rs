// One client, as its argument says; prints what the server on port 5000 answers.
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

fn main() -> std::io::Result<()> {
    let kind = std::env::args().nth(1).unwrap();
    let host = if kind.ends_with('6') { "[::1]" } else { "127.0.0.1" };
    let to = format!("{}:5000", host);
    let mut answer = vec![0u8; 100];
    let length;

    if kind.starts_with("udp") {
        let socket = UdpSocket::bind(format!("{}:0", host))?;
        if kind.contains("unconnected") {
            socket.send_to(b"hello\n", &to)?;
        } else {
            socket.connect(&to)?;
            socket.send(b"hello\n")?;
        }
        length = socket.recv(&mut answer)?;
    } else {
        let mut socket = match kind.as_str() {
            "tcp-timeout" => TcpStream::connect_timeout(&to.parse().unwrap(), Duration::from_secs(10))?,
            _ => TcpStream::connect(&to)?,
        };
        socket.write_all(b"hello\n")?;
        length = socket.read(&mut answer)?;
    }
    print!("{}", String::from_utf8_lossy(&answer[..length]));
    Ok(())
}
