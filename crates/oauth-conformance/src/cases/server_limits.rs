//! E1: bodies that are no forms, too large, too slow, or of another length than announced.

use super::server::{Tested, basic, refused};
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, cases, ensure, wire,
};

pub(super) const CASES: &[Case] = cases! {
    "STK-12" [Counterpart, Server] => bodies_beyond_the_limits,
    "STK-13" [Counterpart, Server] => bad_encodings,
    "STK-14" [Counterpart, Server] => floods_of_parameters,
};

const FORM: &str = "application/x-www-form-urlencoded";

const WHOLE: &[u8] = b"grant_type=client_credentials&scope=read";

async fn bodies_beyond_the_limits(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let large = |bytes: usize| [WHOLE, b"&unknown=", &vec![b'x'; bytes][..]].concat();
    for (sent, length, body) in [
        ("a body of 65 KiB", None, large(65 * 1024)),
        ("a body of 2 MiB", None, large(2 * 1024 * 1024)),
        (
            "an announced body of 10 GB",
            Some("10000000000"),
            WHOLE.to_vec(),
        ),
        (
            "a Content-Length that is no number",
            Some("many"),
            WHOLE.to_vec(),
        ),
        ("a negative Content-Length", Some("-1"), WHOLE.to_vec()),
        (
            "two Content-Lengths",
            Some("40\r\nContent-Length: 41"),
            WHOLE.to_vec(),
        ),
    ] {
        let length = length.map_or_else(|| body.len().to_string(), str::to_owned);
        let bytes = [
            head(&tested, &format!("Content-Length: {length}")).as_bytes(),
            &body,
        ]
        .concat();
        let status = wire::raw(tested.base_url(), &bytes).await?.status();
        ensure!(
            matches!(status, 400 | 413),
            "sent {sent}, expected 413 or 400, got {status}"
        );
    }
    let chunks = (0..100)
        .map(|_| format!("400\r\n{}\r\n", "x".repeat(1024)))
        .collect::<String>();
    let bytes = head(&tested, "Transfer-Encoding: chunked") + &chunks + "0\r\n\r\n";
    let status = wire::raw(tested.base_url(), bytes.as_bytes())
        .await?
        .status();
    ensure!(
        matches!(status, 400 | 413),
        "sent 100 KiB in chunks, expected 413 or 400, got {status}"
    );

    // What was cut may look whole; only the length tells.
    let bytes = [head(&tested, "Content-Length: 60").as_bytes(), WHOLE].concat();
    let cut = wire::raw_cut(tested.base_url(), &bytes)
        .await?
        .map(|answer| answer.status());
    ensure!(
        cut.is_none_or(|status| status >= 400),
        "sent 40 of 60 bytes and an end, expected no token, got {cut:?}"
    );
    let bytes = [head(&tested, "Content-Length: 22").as_bytes(), WHOLE].concat();
    let first = wire::raw(tested.base_url(), &bytes).await?;
    ensure!(
        first.status() == 400,
        "sent 40 bytes as 22, expected the 22 judged, got {}",
        first.status()
    );

    // The server's own patience ends this, within the suite's.
    let bytes = [head(&tested, "Content-Length: 60").as_bytes(), WHOLE].concat();
    let slow = wire::raw(tested.base_url(), &bytes).await;
    let slow = slow
        .map_err(|failure| Failure::new(format!("sent 40 of 60 bytes and waited: {failure}")))?
        .status();
    ensure!(
        matches!(slow, 400 | 408),
        "sent 40 of 60 bytes and waited, expected 408 or 400, got {slow}"
    );
    tested.still_serves().await
}

fn head(tested: &Tested, length: &str) -> String {
    let client = &tested.set().confidential;
    format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n{length}\r\n\r\n",
        tested.set().token,
        wire::host(tested.base_url()),
        basic(&client.id, &client.secret),
    )
}

async fn bad_encodings(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let values: [&[u8]; 12] = [
        b"%", b"%4", b"%zz", b"%%41", b"%ff", b"%c3%28", b"%00", b"%01", b"%0d%0a", b"%7f",
        b"\xff", b"\x01",
    ];
    for value in values {
        for name in ["unknown=", "refresh_token=", ""] {
            let body = [b"grant_type=refresh_token&", name.as_bytes(), value].concat();
            let answer = tested.token_body(Some(FORM), &body).await?;
            let sent = format!("the form {:?}", String::from_utf8_lossy(&body));
            refused(&sent, &answer, &[400], &["invalid_request"])?;
        }
    }
    tested.still_serves().await
}

async fn floods_of_parameters(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let mut many = "grant_type=client_credentials".to_owned();
    many.extend((0..10_000).map(|index| format!("&{index}=")));
    let long = format!("grant_type=client_credentials&{}=1", "n".repeat(10_000));
    let none = "&".repeat(60_000) + "grant_type=x";
    for (sent, body, codes) in [
        ("10 000 parameters", many, &["invalid_request"][..]),
        ("a name of 10 000 bytes", long, &["invalid_request"]),
        (
            "60 000 separators",
            none,
            &["invalid_request", "unsupported_grant_type"],
        ),
    ] {
        let answer = tested.token_body(Some(FORM), body.as_bytes()).await?;
        refused(sent, &answer, &[400, 413], codes)?;
    }
    tested.still_serves().await
}
