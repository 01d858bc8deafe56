// reqwest-fetch PLAN: sends a plan's requests (one a line: path, space, body) by reqwest on kept connections, and says
// how many answers came whole. With AT_ONCE=1 all at the same time, by threads.
use std::{env, error::Error, fs, process, thread};

use reqwest::blocking::Client;

fn connect() -> Result<Client, Box<dyn Error>> {
    let authority = reqwest::Certificate::from_pem(&fs::read(env::var("DEMO_CA")?)?)?;
    let client = Client::builder().use_rustls_tls().tls_built_in_root_certs(false);
    Ok(client.add_root_certificate(authority).build()?)
}

fn send(client: &Client, path: &str, body: String) -> Result<usize, Box<dyn Error>> {
    let request = client
        .post(env::var("DEMO_URL")? + path)
        .header("Content-Type", "application/json")
        .bearer_auth(env::var("OPENAI_API_KEY")?)
        .header("X-Api-Key", env::var("ANTHROPIC_API_KEY")?)
        .body(body);
    Ok(request.send()?.bytes()?.len())
}

fn main() -> Result<(), Box<dyn Error>> {
    let plan = fs::read_to_string(env::args().nth(1).ok_or("which plan?")?)?;
    let client = connect()?;
    let mut whole = 0;
    let mut threads = Vec::new();
    for line in plan.lines() {
        let (path, body) = line.split_once(' ').ok_or("a line without a body")?;
        let body = body.replace("PID", &process::id().to_string());
        let (path, client) = (path.to_string(), client.clone());
        let one = thread::spawn(move || send(&client, &path, body).is_ok());
        if env::var("AT_ONCE").is_ok() {
            threads.push(one);
        } else {
            whole += one.join().unwrap_or(false) as usize;
        }
    }
    whole += threads.into_iter().filter_map(|one| one.join().ok()).filter(|good| *good).count();
    println!("{} of {} whole", whole, plan.lines().count());
    Ok(())
}
