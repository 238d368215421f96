//! What one would write in an hour: random tokens in a map, nobody authenticated, nothing hashed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use axum::{
    Form, Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::post,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;

type Tokens = Arc<Mutex<HashMap<String, SystemTime>>>;

pub fn by_hand() -> Router {
    Router::new()
        .route("/token", post(token))
        .route("/introspect", post(introspect))
        .with_state(Tokens::default())
}

async fn token(State(tokens): State<Tokens>) -> impl IntoResponse {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    let token = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let body = format!(
        r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600,"scope":"read"}}"#
    );
    let end = SystemTime::now() + Duration::from_secs(3600);
    lock(&tokens).insert(token, end);
    ([(CONTENT_TYPE, "application/json")], body)
}

#[derive(Deserialize)]
struct Question {
    token: String,
}

async fn introspect(
    State(tokens): State<Tokens>,
    Form(question): Form<Question>,
) -> impl IntoResponse {
    let end = lock(&tokens).get(&question.token).copied();
    let active = end.is_some_and(|end| SystemTime::now() < end);
    let body = format!(r#"{{"active":{active},"scope":"read","client_id":"service"}}"#);
    ([(CONTENT_TYPE, "application/json")], body)
}

fn lock(tokens: &Tokens) -> std::sync::MutexGuard<'_, HashMap<String, SystemTime>> {
    tokens.lock().unwrap_or_else(PoisonError::into_inner)
}
