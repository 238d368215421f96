//! As a middleware of reqwest.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::Extensions;
use http_body::{Body as HttpBody, Frame};
use reqwest::{Body, Request, Response, ResponseBuilderExt};
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::{Authorize, LONGEST_REFUSAL};
use crate::manager::ManagedToken;

#[async_trait]
impl Middleware for Authorize {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        if !self.is_for(request.url(), request.headers()) {
            return next.run(request, extensions).await;
        }
        // Without the token, which would be another's by then.
        let again = request.try_clone();
        let token = self.token.authorize(request.headers_mut()).await;
        let token = token.map_err(Error::middleware)?;
        let answer = next.clone().run(request, extensions).await?;
        match again {
            // Its state is large, and hardly any request comes here.
            Some(again) if is_refusal(&answer) => {
                Box::pin(self.send_again(token, again, answer, extensions, next)).await
            }
            _ => Ok(answer),
        }
    }
}

impl Authorize {
    /// With another token, if `answer` says that this one is dead and there is another.
    async fn send_again(
        &self,
        token: ManagedToken,
        mut request: Request,
        answer: Response,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let (answer, refusal) = read(answer).await?;
        let renewed = self.renew(&token, &refusal, request.headers_mut()).await;
        let Some(token) = renewed.map_err(Error::middleware)? else {
            return Ok(answer);
        };
        let answer = next.run(request, extensions).await?;
        if !is_refusal(&answer) {
            return Ok(answer);
        }
        let (answer, refusal) = read(answer).await?;
        self.tried_again(&token, &refusal);
        Ok(answer)
    }
}

fn is_refusal(answer: &Response) -> bool {
    answer.status() == http::StatusCode::UNAUTHORIZED
}

/// Reads a refusal, whether or not it says how long it is; the caller gets the same answer again.
/// One that is too long goes by its status and headers alone.
async fn read(answer: Response) -> Result<(Response, http::Response<Bytes>)> {
    let mut refusal = http::Response::new(Bytes::new());
    *refusal.status_mut() = answer.status();
    *refusal.headers_mut() = answer.headers().clone();
    if answer
        .content_length()
        .is_some_and(|length| length > LONGEST_REFUSAL as u64)
    {
        return Ok((answer, refusal));
    }
    // Where the answer came from can only be given to a builder.
    let located = http::Response::builder().url(answer.url().clone()).body(());
    let (mut head, mut body) = http::Response::<Body>::from(answer).into_parts();
    let located = located.map_err(Error::middleware)?.into_parts().0;
    head.extensions.extend(located.extensions);
    let mut start = Vec::new();
    while start.len() <= LONGEST_REFUSAL {
        match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            Some(frame) => start.extend(frame?.into_data().unwrap_or_default()),
            None => {
                let start = Bytes::from(start);
                *refusal.body_mut() = start.clone();
                let answer = http::Response::from_parts(head, start);
                return Ok((Response::from(answer), refusal));
            }
        }
    }
    let whole = Body::wrap(Whole {
        start: Some(start.into()),
        rest: body,
    });
    let answer = http::Response::from_parts(head, whole);
    Ok((Response::from(answer), refusal))
}

/// A body whose start has been read.
struct Whole {
    start: Option<Bytes>,
    rest: Body,
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, reqwest::Error>>> {
        match self.start.take() {
            Some(start) => Poll::Ready(Some(Ok(Frame::data(start)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }
}
