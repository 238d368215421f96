//! As a middleware of reqwest.

use async_trait::async_trait;
use bytes::Bytes;
use http::Extensions;
use reqwest::{Request, Response, ResponseBuilderExt};
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::{Authorize, LONGEST_REFUSAL};

#[async_trait]
impl Middleware for Authorize {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let url = request.url().clone();
        let token = self.attach(&url, request.headers_mut()).await;
        let Some(token) = token.map_err(Error::middleware)? else {
            return next.run(request, extensions).await;
        };
        let again = request.try_clone();
        let answer = next.clone().run(request, extensions).await?;
        let Some(mut again) = again.filter(|_| is_refusal(&answer)) else {
            return Ok(answer);
        };
        let (answer, refusal) = read(answer).await?;
        let renewed = self.renew(&token, &refusal, again.headers_mut()).await;
        let Some(token) = renewed.map_err(Error::middleware)? else {
            return Ok(answer);
        };
        let answer = next.run(again, extensions).await?;
        if !is_refusal(&answer) {
            return Ok(answer);
        }
        let (answer, refusal) = read(answer).await?;
        self.tried_again(&token, &refusal);
        Ok(answer)
    }
}

/// Whether an answer is a refusal that can be read whole.
fn is_refusal(answer: &Response) -> bool {
    let short = answer
        .content_length()
        .is_some_and(|length| length <= LONGEST_REFUSAL);
    answer.status() == http::StatusCode::UNAUTHORIZED && short
}

/// Reads a refusal; the caller gets the same answer again.
async fn read(answer: Response) -> Result<(Response, http::Response<Bytes>)> {
    let (status, version) = (answer.status(), answer.version());
    let (url, headers) = (answer.url().clone(), answer.headers().clone());
    let body = answer.bytes().await?;
    let build = |body: Bytes| {
        let mut response = http::Response::new(body);
        *response.status_mut() = status;
        *response.version_mut() = version;
        *response.headers_mut() = headers.clone();
        response
    };
    let refusal = build(body.clone());
    // Where the answer came from can only be given to a builder.
    let located = http::Response::builder().url(url).body(());
    let mut answer = build(body);
    *answer.extensions_mut() = std::mem::take(located.map_err(Error::middleware)?.extensions_mut());
    Ok((Response::from(answer), refusal))
}
