//! Colours and spinners: on a terminal, and nowhere else.

#![cfg(unix)]

use std::{
    fs::File,
    io::Read,
    os::unix::ffi::OsStrExt,
    process::{Child, Stdio},
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::json;

use crate::program::{Running, World};

const ESCAPE: char = '\u{1b}';
const RED: &str = "\u{1b}[1;31m";
const TERMINAL: (&str, &str) = ("TERM", "xterm-256color");

#[test]
fn colours_are_for_a_terminal_that_wants_them() {
    let seen = |arguments: &str, variables: &[(&str, &str)]| {
        let mut terminal = Terminal::start(&World::new(), arguments, variables);
        let seen = terminal.rest();
        terminal.child.wait().unwrap();
        seen
    };
    let wrong = "token --client-id a";
    assert!(seen(wrong, &[TERMINAL]).contains(&format!("{RED}error:")));
    assert!(seen("token --help", &[TERMINAL]).contains(ESCAPE));
    assert!(seen("token --nonsense", &[TERMINAL]).contains(ESCAPE));
    for plain in [[TERMINAL, ("NO_COLOR", "1")], [("TERM", "dumb"), ("A", "")]] {
        for arguments in [wrong, "token --help", "token --nonsense"] {
            let seen = seen(arguments, &plain);
            assert!(
                !seen.is_empty() && !seen.contains(ESCAPE),
                "{plain:?} {seen:?}"
            );
        }
    }
    for arguments in [wrong, "token --help", "token --nonsense"] {
        let piped = World::new().run_with(arguments, &[TERMINAL]);
        assert!(!piped.err.contains(ESCAPE) && !piped.out.contains(ESCAPE));
    }
}

#[test]
fn a_token_is_one_line_on_a_terminal_too() {
    let demo = Running::start("serve --demo --listen 127.0.0.1:0");
    let token = format!(
        "token --issuer {} --client-id svc --store memory:",
        demo.text("issuer")
    );
    let variables = [TERMINAL, ("OAUTH_CLIENT_SECRET", "svc-secret")];
    let seen = Terminal::start(&World::new(), &token, &variables).rest();
    assert!(
        seen.trim_end().len() > 20 && !seen.contains(ESCAPE),
        "{seen:?}"
    );
    assert_eq!(seen.lines().count(), 1, "{seen:?}");
}

#[test]
fn a_spinner_turns_while_a_person_is_waited_for() {
    let emulator = Running::start("emulate rfc");
    let login = format!(
        "login --device --issuer {} --client-id pub",
        emulator.text("base_url")
    );
    for (variables, bold, spinner) in [
        (&[TERMINAL][..], true, true),
        (&[TERMINAL, ("NO_COLOR", "1")], false, true),
        (&[("TERM", "dumb")], false, false),
    ] {
        let mut terminal = Terminal::start(&World::new(), &login, variables);
        let mut seen = terminal.until("It ends in");
        let code = seen.split("The code alone: ").nth(1).unwrap();
        let code = code.split_whitespace().next().unwrap().to_owned();
        if spinner {
            seen += &terminal.until("waiting for you to enter the code");
        }
        let approval = json!({"user_code": code, "action": "approve"});
        emulator.control("POST", "devices", &approval);
        let rest = terminal.rest();
        assert!(terminal.child.wait().unwrap().success(), "{rest}");
        assert_eq!(seen.contains("\u{1b}[1m"), bold, "{variables:?} {seen:?}");
        let waited = format!("{seen}{rest}");
        assert_eq!(waited.contains("waiting for you"), spinner, "{waited:?}");
        if !spinner {
            assert!(!waited.contains(ESCAPE), "{waited:?}");
        }
    }
}

/// The program on a terminal of its own.
struct Terminal {
    child: Child,
    screen: File,
}

impl Terminal {
    fn start(world: &World, arguments: &str, variables: &[(&str, &str)]) -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap();
        let name = std::ffi::OsStr::from_bytes(name.as_bytes());
        let end = File::options().read(true).write(true).open(name).unwrap();
        let child = world
            .command(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::from(end.try_clone().unwrap()))
            .stderr(Stdio::from(end))
            .spawn()
            .unwrap();
        Self {
            child,
            screen: screen.into(),
        }
    }

    /// What is shown up to and with this text.
    fn until(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        let mut byte = [0];
        while !String::from_utf8_lossy(&seen).ends_with(text) {
            self.screen.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    }

    /// What is shown until the program ends: the terminal of nobody cannot be read.
    fn rest(&mut self) -> String {
        let mut seen = Vec::new();
        let mut part = [0; 4096];
        while let Ok(read @ 1..) = self.screen.read(&mut part) {
            seen.extend_from_slice(&part[..read]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    }
}
