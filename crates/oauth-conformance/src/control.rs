//! The control of a counterpart: scripts its faults, moves its clock, mints its codes.

use serde_json::{Value, json};

use crate::{
    Failure,
    wire::{self, Answer},
};

/// The control of a counterpart, under `/_control/` of its base URL.
#[derive(Debug, Clone)]
pub struct Control {
    base_url: String,
}

impl Control {
    /// The control of the counterpart at `base_url`.
    #[must_use]
    pub fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
        }
    }

    /// Mints an authorization code; `options` as the control documents them.
    ///
    /// # Errors
    /// When the control refuses.
    pub async fn code(&self, options: Value) -> Result<String, Failure> {
        let answer = self.post("codes", &options).await?;
        let code = answer.json()?["code"].as_str().map(str::to_owned);
        code.ok_or_else(|| Failure::new("control: no code came"))
    }

    /// Approves, denies or ends a device by its user code.
    ///
    /// # Errors
    /// When the control refuses.
    pub async fn device(&self, user_code: &str, action: &str) -> Result<(), Failure> {
        self.post(
            "devices",
            &json!({"user_code": user_code, "action": action}),
        )
        .await
        .map(|_| ())
    }

    /// Scripts a fault.
    ///
    /// # Errors
    /// When the control refuses.
    pub async fn fault(&self, fault: Value) -> Result<(), Failure> {
        self.post("faults", &fault).await.map(|_| ())
    }

    /// Moves the counterpart's clock by seconds.
    ///
    /// # Errors
    /// When the control refuses.
    pub async fn advance(&self, seconds: i64) -> Result<(), Failure> {
        self.post("clock", &json!({"advance_seconds": seconds}))
            .await
            .map(|_| ())
    }

    /// What the counterpart's clock shows, in seconds since 1970.
    ///
    /// # Errors
    /// When the control refuses.
    pub async fn now(&self) -> Result<u64, Failure> {
        let answer = self.post("clock", &json!({"advance_seconds": 0})).await?;
        let now = answer.json()?["now"].as_u64();
        now.ok_or_else(|| Failure::new("control: no time came"))
    }

    /// What arrived, secrets masked.
    ///
    /// # Errors
    /// When the control refuses.
    pub async fn requests(&self) -> Result<Vec<Value>, Failure> {
        let answer = self.expect(self.call("GET", "requests", None).await?)?;
        Ok(answer.json()?.as_array().cloned().unwrap_or_default())
    }

    /// Forgets what arrived.
    ///
    /// # Errors
    /// When the control refuses.
    pub async fn forget_requests(&self) -> Result<(), Failure> {
        self.delete("requests").await
    }

    /// The records behind the server.
    ///
    /// # Errors
    /// When the control refuses.
    pub async fn store(&self) -> Result<String, Failure> {
        Ok(self.expect(self.call("GET", "store", None).await?)?.text())
    }

    /// Kills every live access token.
    ///
    /// # Errors
    /// When the control refuses.
    pub async fn kill_tokens(&self) -> Result<(), Failure> {
        self.delete("tokens").await
    }

    /// Takes away what the control calls by this name.
    ///
    /// # Errors
    /// When the control refuses.
    pub async fn delete(&self, what: &str) -> Result<(), Failure> {
        self.expect(self.call("DELETE", what, None).await?)
            .map(|_| ())
    }

    /// Any control request with a JSON body.
    ///
    /// # Errors
    /// When the control refuses.
    pub async fn post(&self, what: &str, body: &Value) -> Result<Answer, Failure> {
        self.expect(self.call("POST", what, Some(body)).await?)
    }

    async fn call(
        &self,
        method: &str,
        what: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let headers = [("Content-Type", "application/json")];
        wire::request(
            &self.base_url,
            method,
            &format!("/_control/{what}"),
            &headers,
            body.as_bytes(),
        )
        .await
    }

    fn expect(&self, answer: Answer) -> Result<Answer, Failure> {
        if (200..300).contains(&answer.status()) {
            Ok(answer)
        } else {
            Err(Failure::new(format!(
                "control: status {} ({})",
                answer.status(),
                answer.text()
            )))
        }
    }
}
