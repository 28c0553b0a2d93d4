//! Ports: free ones, one that refuses connections for as long as it is held, and one that never
//! answers them.

use socket2::{Domain, Socket, Type};
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// A free port for a program that cannot pick its own, and that nobody else is given for the next
/// minute.
///
/// A connection over it is closed from the listener's side, so the port stays in TIME_WAIT: the
/// system hands it to no `bind` to port 0 and to no outgoing connection, but a program that names
/// it gets it (as they set SO_REUSEADDR).
///
/// # Panics
/// When the system has no port left.
pub fn free() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("its address");
    let mut client = TcpStream::connect(address).expect("a connection");
    let (accepted, _peer) = listener.accept().expect("the same connection");
    drop(accepted);
    let end = client.read(&mut [0]).expect("the end");
    assert_eq!(end, 0, "nobody writes");
    address.port()
}

/// A port that refuses connections, and that nobody else gets while this lives.
#[derive(Debug)]
pub struct Closed {
    socket: Socket,
    address: SocketAddr,
}

impl Closed {
    /// Takes a port without listening on it.
    ///
    /// # Panics
    /// When the system has no port left.
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

    /// The port.
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

/// A port whose connections never come about: its backlog is full, so the system drops every SYN.
#[derive(Debug)]
pub struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    _full: Vec<TcpStream>,
}

impl BlackHole {
    /// Takes a port and fills its backlog.
    ///
    /// # Panics
    /// When the system has no port left.
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

    /// Its address.
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
