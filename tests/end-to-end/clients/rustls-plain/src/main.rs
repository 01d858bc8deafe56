// rustls-plain PLAN: sends a plan's requests (one a line: path, space, body) by rustls on a socket, each on a connection
// of its own, and says how many answers came to their end.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::{env, error::Error, fs, process};

fn configure() -> Result<Arc<rustls::ClientConfig>, Box<dyn Error>> {
    let mut roots = rustls::RootCertStore::empty();
    let pem = fs::read(env::var("DEMO_CA")?)?;
    for certificate in rustls_pemfile::certs(&mut &pem[..])? {
        roots.add(&rustls::Certificate(certificate))?;
    }
    let config = rustls::ClientConfig::builder().with_safe_defaults().with_root_certificates(roots);
    Ok(Arc::new(config.with_no_client_auth()))
}

// The head and the body in two calls.
fn send(config: &Arc<rustls::ClientConfig>, path: &str, body: &str) -> Result<usize, Box<dyn Error>> {
    let url = env::var("DEMO_URL")?;
    let authority = url.trim_start_matches("https://");
    let mut connection = rustls::ClientConnection::new(config.clone(), "localhost".try_into()?)?;
    let mut socket = TcpStream::connect(authority)?;
    let mut tls = rustls::Stream::new(&mut connection, &mut socket);
    write!(
        tls,
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAuthorization: Bearer {}\r\n\
         X-Api-Key: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        path,
        authority,
        env::var("OPENAI_API_KEY")?,
        env::var("ANTHROPIC_API_KEY")?,
        body.len()
    )?;
    tls.write_all(body.as_bytes())?;
    let mut answer = Vec::new();
    let read = tls.read_to_end(&mut answer);
    tls.conn.send_close_notify();
    tls.conn.write_tls(tls.sock)?;
    Ok(read?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let plan = fs::read_to_string(env::args().nth(1).ok_or("which plan?")?)?;
    let config = configure()?;
    let mut whole = 0;
    for line in plan.lines() {
        let (path, body) = line.split_once(' ').ok_or("a line without a body")?;
        let body = body.replace("PID", &process::id().to_string());
        whole += send(&config, path, &body).is_ok() as usize;
    }
    println!("{} of {} whole", whole, plan.lines().count());
    Ok(())
}
