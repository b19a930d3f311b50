//! The HTTP door of a gateway.
//!
//! ```text
//!   POST /register   a data server is made a member    register
//!   GET /servers     who is a member, and how it is    servers
//! ```
//!
//! Not keys, which have the client port. Nobody who asks is asked who he is: the port is as open as that of clients.
//!
//! 1. Every answer to a request is JSON, and a refusal says in words what to do.
//! 2. Whoever is slow, or says nothing, is given up: a connection has one request and a time, and connections a number.

mod answer;
mod register;
mod servers;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::doors::accept;
use crate::formation::Register;
use answer::Answer;

/// Connections at once. Who comes beyond that waits until one ends.
const CONNECTIONS_MAX: usize = 256;
/// How long a caller may take for the head of its request.
const HEAD_MAX: Duration = Duration::from_secs(5);
/// How many bytes that may have.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How many bytes the body of a request may have.
const BODY_BYTES_MAX: usize = 64 << 10;
/// How long a connection may last: its head, its body, what is asked for ([`register::REGISTER_MAX`]) and the answer.
const CONNECTION_MAX: Duration = Duration::from_secs(20);

/// Answers whoever comes, for as long as the process runs.
pub(crate) async fn serve(door: TcpListener, register: Arc<Register>) {
    let (routes, free) = (routes(register), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    while let Ok(place) = Arc::clone(&free).acquire_owned().await {
        let Some((stream, _)) = accept(&door).await else { continue };
        let routes = routes.clone();
        tokio::spawn(async move {
            // Whoever is cut off has taken its time.
            let _ = timeout(CONNECTION_MAX, answer_one(stream, routes)).await;
            drop(place);
        });
    }
}

async fn answer_one(stream: TcpStream, routes: Router) {
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX);
    protocol.max_buf_size(HEAD_BYTES_MAX).keep_alive(false);
    let served = protocol.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes)).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a caller on the HTTP port was not answered");
    }
}

fn routes(register: Arc<Register>) -> Router {
    Router::new()
        .route("/register", post(register::register))
        .route("/servers", get(servers::servers))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(register)
}

async fn nothing_here(uri: Uri) -> Answer {
    let path = uri.path();
    let why = format!("there is nothing at {path}; there are POST /register and GET /servers");
    Answer::refusal(StatusCode::NOT_FOUND, &why)
}

async fn not_so(method: Method, uri: Uri) -> Answer {
    let path = uri.path();
    let why = format!("{method} is not for {path}; there are POST /register and GET /servers");
    Answer::refusal(StatusCode::METHOD_NOT_ALLOWED, &why)
}
