//! Ports: free ones, ports that refuse connections while held, and ports that never respond.

use socket2::{Domain, Socket, Type};
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Returns a free port for a program that cannot select its own. Reserved for a minute.
///
/// A connection on it is closed by the listener, so the port is in TIME_WAIT: the system assigns
/// it to no `bind` to port 0 and to no outgoing connection. A program that names the port can bind
/// it, because servers set SO_REUSEADDR.
///
/// # Panics
/// If the system has no free port.
pub fn free() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("its address");
    let mut client = TcpStream::connect(address).expect("a connection");
    let (accepted, _peer) = listener.accept().expect("the same connection");
    drop(accepted);
    let end = client.read(&mut [0]).expect("the end");
    assert_eq!(end, 0, "no data was sent");
    address.port()
}

/// A port that refuses connections and stays reserved until dropped.
#[derive(Debug)]
pub struct Closed {
    socket: Socket,
    address: SocketAddr,
}

impl Closed {
    /// Binds a port without listening on it.
    ///
    /// # Panics
    /// If the system has no free port.
    pub fn new() -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port")
    }

    pub(crate) fn at(address: SocketAddr) -> std::io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        let address =
            socket.local_addr()?.as_socket().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { socket, address })
    }

    pub(crate) fn listen(self) -> std::io::Result<TcpListener> {
        self.socket.listen(128)?;
        Ok(self.socket.into())
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:<port>`
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Default for Closed {
    fn default() -> Self {
        Self::new()
    }
}

/// A port that never completes a connection: its backlog is full, so the system drops each SYN.
#[derive(Debug)]
pub struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    _full: Vec<TcpStream>,
}

impl BlackHole {
    /// Binds a port and fills its backlog.
    ///
    /// # Panics
    /// If the system has no free port.
    pub fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        socket.listen(0).expect("a listener");
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().expect("its address");
        let mut full = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            full.push(stream);
        }
        Self { address, _listener: listener, _full: full }
    }

    /// Returns the address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:<port>`
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Default for BlackHole {
    fn default() -> Self {
        Self::new()
    }
}
