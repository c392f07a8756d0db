//! The body of a request: of the right type, not too large, and in time.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderMap, header::CONTENT_TYPE},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::refusal::Refusal;

/// The API server takes objects of 3 MiB, and a review may hold the old and the new one.
const LIMIT: u32 = 7 * 1024 * 1024;
/// What all bodies that are being read or judged may take together: a burst waits its turn
/// instead of using up the container's memory.
const TOTAL: u32 = 8 * LIMIT;

/// Reads bodies.
#[derive(Debug)]
pub(super) struct Bodies {
    deadline: Duration,
    room: Semaphore,
}

impl Bodies {
    pub(super) fn new(deadline: Duration) -> Self {
        Self { deadline, room: Semaphore::new(TOTAL as usize) }
    }

    /// Reads a body, and keeps room for it until the permit is dropped.
    pub(super) async fn read(
        &self,
        request: Request,
    ) -> Result<(Bytes, SemaphorePermit<'_>), Refusal> {
        if !is_json(request.headers()) {
            return Err(Refusal::ContentType);
        }
        let body = request.into_body();
        let size = body.size_hint().upper().unwrap_or_else(|| LIMIT.into());
        let size = u32::try_from(size).ok().filter(|size| *size <= LIMIT);
        let size = size.ok_or(Refusal::TooLarge(LIMIT))?;
        timeout(self.deadline, async {
            let room = self.room.acquire_many(size).await.map_err(|_| Refusal::BrokenOff)?;
            Ok((collect(body).await?, room))
        })
        .await
        .unwrap_or(Err(Refusal::TooSlow(self.deadline)))
    }
}

async fn collect(body: Body) -> Result<Bytes, Refusal> {
    let limit = LIMIT.try_into().unwrap_or(usize::MAX);
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge(LIMIT)),
        Err(_) => Err(Refusal::BrokenOff),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"))
}
