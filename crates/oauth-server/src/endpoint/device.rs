//! The device authorization endpoint (RFC 8628 §3.1), and the person's decision.

use std::time::SystemTime;

use bytes::Bytes;
use http::Request;

use crate::{
    AuthorizationServer, ContextError, DeviceAuthorizationResponse, DeviceCodeRecord, DeviceStatus,
    GrantType, OAuthError, Source, TokenHash, TokenKind, grant::user_code_hash, issue::later,
    throttle::Attempt,
};

/// Two live user codes are hardly ever the same, so more attempts than this mean a generator
/// that does not generate.
const ATTEMPTS: usize = 5;

impl AuthorizationServer {
    /// Starts a device authorization.
    ///
    /// # Errors
    ///
    /// What RFC 6749 §5.2 names; 429 after too many in the name of a public client from one source;
    /// 503 when a context fails.
    pub async fn device_authorization(
        &self,
        request: &Request<Bytes>,
    ) -> Result<DeviceAuthorizationResponse, OAuthError> {
        self.guarded(async {
            let parameters = self.posted(request)?;
            let client = self.authenticate(request, &parameters).await?;
            self.check_supported(GrantType::DeviceCode)?;
            self.check_grant(&client, GrantType::DeviceCode)?;
            let source = Source::of(request);
            self.check_public("device authorization", 1, &client, source)?;
            let scope = self.requested_scope(&client, &parameters).await?;
            let audience = self.requested_resources(&client, &parameters)?;
            let device_code = self.generate(Some(&client), TokenKind::DeviceCode)?;
            let mut record = DeviceCodeRecord {
                hash: TokenHash::of(&device_code),
                user_code_hash: TokenHash::of(""),
                grant: self.new_grant(&client, None, scope, audience)?,
                status: DeviceStatus::Pending,
                interval: self.device_poll_interval(),
                polled_at: None,
                expires_at: later(self.now(), self.device_code_lifetime())?,
            };
            for _ in 0..ATTEMPTS {
                let user_code = self.generate(Some(&client), TokenKind::UserCode)?;
                record.user_code_hash = user_code_hash(&user_code);
                if self
                    .device_codes()
                    .insert(record.clone(), self.now())
                    .await?
                {
                    return Ok(self.started(device_code, user_code));
                }
            }
            Err(ContextError::new("no free user code").into())
        })
        .await
    }

    /// The device authorization that waits behind a user code, to be shown to the person. Case,
    /// blanks and dashes do not matter. A page for people uses
    /// [`verify_user_code`](Self::verify_user_code), which limits how often they may guess.
    ///
    /// # Errors
    ///
    /// When a context fails.
    pub async fn device_request(
        &self,
        user_code: &str,
    ) -> Result<Option<DeviceCodeRecord>, ContextError> {
        let record = self.device_codes().find(&user_code_hash(user_code)).await?;
        Ok(record.filter(|record| {
            record.status == DeviceStatus::Pending && self.now() < record.expires_at
        }))
    }

    /// [`device_request`](Self::device_request) for a page of the application: codes that are not
    /// known are counted for `session`, which names the browser's session or the person in it,
    /// and for `source` (RFC 8628 §5.1).
    ///
    /// # Errors
    ///
    /// 429 after too many wrong codes; 503 when a context fails.
    pub async fn verify_user_code(
        &self,
        user_code: &str,
        session: &str,
        source: Option<Source>,
    ) -> Result<Option<DeviceCodeRecord>, OAuthError> {
        self.guarded(async {
            let attempts = [
                Attempt::by("user code", session),
                Attempt::new("user code", "any", source),
            ];
            for attempt in &attempts {
                self.check_throttle(attempt)?;
            }
            let record = self.device_request(user_code).await?;
            if record.is_none() {
                attempts.iter().for_each(|it| self.attempt_failed(it));
            }
            Ok(record)
        })
        .await
    }

    /// Approves a device authorization for this person. False if there is none that waits.
    ///
    /// # Errors
    ///
    /// `invalid_grant` for a subject that is a client's id; 503 when a context fails.
    pub async fn approve_device(&self, user_code: &str, subject: &str) -> Result<bool, OAuthError> {
        let now = self.now();
        self.approve_device_of(user_code, subject, now).await
    }

    /// Approves a device authorization for this person, who logged in at `auth_time`, which the
    /// ID token and signed access tokens tell. False if there is none that waits.
    ///
    /// # Errors
    ///
    /// `invalid_grant` for a subject that is a client's id; 503 when a context fails.
    pub async fn approve_device_of(
        &self,
        user_code: &str,
        subject: &str,
        auth_time: SystemTime,
    ) -> Result<bool, OAuthError> {
        self.guarded(async {
            self.check_subject(subject).await?;
            Ok(self.decide(user_code, Some((subject, auth_time))).await?)
        })
        .await
    }

    /// Denies a device authorization. False if there is none that waits.
    ///
    /// # Errors
    ///
    /// 503 when a context fails.
    pub async fn deny_device(&self, user_code: &str) -> Result<bool, OAuthError> {
        self.guarded(async { Ok(self.decide(user_code, None).await?) })
            .await
    }

    async fn decide(
        &self,
        user_code: &str,
        person: Option<(&str, SystemTime)>,
    ) -> Result<bool, ContextError> {
        let Some(waiting) = self.device_request(user_code).await? else {
            return Ok(false);
        };
        let mut decided = false;
        let mut decide = |record: &mut DeviceCodeRecord| {
            decided = record.status == DeviceStatus::Pending;
            if !decided {
                return;
            }
            record.status = DeviceStatus::Denied;
            if let Some((subject, auth_time)) = person {
                record.status = DeviceStatus::Approved;
                record.grant.subject = Some(subject.to_owned());
                record.grant.auth_time = Some(auth_time);
            }
        };
        self.device_codes()
            .update(&waiting.hash, &mut decide)
            .await?;
        Ok(decided)
    }

    fn started(&self, device_code: String, user_code: String) -> DeviceAuthorizationResponse {
        let verification_uri = self.verification_uri().to_owned();
        let separator = if verification_uri.contains('?') {
            '&'
        } else {
            '?'
        };
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("user_code", &user_code)
            .finish();
        DeviceAuthorizationResponse {
            verification_uri_complete: format!("{verification_uri}{separator}{query}"),
            verification_uri,
            device_code: device_code.into(),
            user_code,
            expires_in: self.device_code_lifetime().as_secs(),
            interval: self.device_poll_interval().as_secs(),
        }
    }
}
