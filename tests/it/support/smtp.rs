//! A mail server of forty lines: keeps what it gets, and can refuse a recipient.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use daylight::config::Secret;

#[derive(Clone)]
pub struct Sink {
    pub url: Secret,
    mails: Arc<Mutex<Vec<String>>>,
    /// Recipients that are refused from now on.
    pub refused: Arc<Mutex<Vec<String>>>,
}

impl Sink {
    /// Listens on a free port until the process ends.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let url = Secret::new(format!("smtp://127.0.0.1:{port}"));
        let sink = Sink { url, mails: Arc::default(), refused: Arc::default() };
        let server = sink.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        sink
    }

    /// Every mail so far: headers and text, with soft line breaks undone.
    pub fn mails(&self) -> Vec<String> {
        let mails = self.mails.lock().expect("held for a moment only");
        mails.iter().map(|mail| mail.replace("=\r\n", "").replace("=3D", "=")).collect()
    }

    /// Ends with the connection, whichever way that goes.
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?);
        let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).ok();
        say("220 sink")?;
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let refused = self.refused.lock().expect("held for a moment only").clone();
            match line.get(..4)?.to_uppercase().as_str() {
                "RCPT" if refused.iter().any(|r| line.contains(r)) => say("550 no mailbox of that name")?,
                "DATA" => {
                    say("354 go on")?;
                    let mut mail = String::new();
                    while !mail.ends_with("\r\n.\r\n") {
                        lines.read_line(&mut mail).ok()?;
                    }
                    self.mails.lock().expect("held for a moment only").push(mail);
                    say("250 kept")?;
                }
                "QUIT" => return say("221 bye"),
                _ => say("250 fine")?,
            }
        }
    }
}
