//! The body of a request: of the right type, not too large, and in time.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderMap, header::CONTENT_TYPE},
};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::{
    refusal::Refusal,
    room::{Held, Room},
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// The API server takes objects of 3 MiB, and a review may hold the old and the new one.
const LIMIT: usize = 7 * MIB;
/// What a usual review is far below. Such bodies have a room of their own, so that they find some
/// whatever large ones come.
const SMALL: usize = 64 * KIB;
/// Together they are a seventh of the container's memory, since what a body is read into may take
/// three times as much again, and connections need some. The larger is that of two of the largest
/// bodies, so that no client can fill it by itself: a connection has one body at a time.
const SMALL_ROOM: usize = 4 * MIB;
const LARGE_ROOM: usize = 14 * MIB;
/// How long nothing may come. The API server sends a review at once.
const GRACE: Duration = Duration::from_secs(3);
/// The least that must come in a second, or the grace is used up.
const RATE: f64 = 64.0 * 1024.0;

/// Reads bodies.
#[derive(Debug)]
pub(super) struct Bodies {
    deadline: Duration,
    small: Room,
    large: Room,
}

impl Bodies {
    pub(super) fn new(deadline: Duration) -> Self {
        Self { deadline, small: Room::new(SMALL_ROOM), large: Room::new(LARGE_ROOM) }
    }

    /// Reads a body, and keeps room for it until that is dropped.
    pub(super) async fn read(&self, request: Request) -> Result<(Bytes, Held<'_>), Refusal> {
        if !is_json(request.headers()) {
            return Err(Refusal::ContentType);
        }
        let mut body = request.into_body();
        if body.size_hint().lower() > LIMIT as u64 {
            return Err(Refusal::TooLarge(LIMIT));
        }
        let mut patience = Patience::new(self.deadline);
        let first = self.next(&mut body, &mut patience).await?.unwrap_or_default();
        if first.len() > LIMIT {
            return Err(Refusal::TooLarge(LIMIT));
        }
        if body.is_end_stream() {
            // Most are there at once: they are not copied.
            let held = self.room(first.len()).hold(first.len())?;
            return Ok((first, held));
        }
        self.collect(first, body, patience).await
    }

    /// Reads the rest of a body, which is copied: what is left of a read, be it a byte, would keep
    /// the whole buffer that it was read into.
    async fn collect(
        &self,
        first: Bytes,
        mut body: Body,
        mut patience: Patience,
    ) -> Result<(Bytes, Held<'_>), Refusal> {
        let mut growing = self.room(first.len()).begin(first.len())?;
        let mut whole = Vec::from(first);
        loop {
            let next = tokio::select! {
                next = self.next(&mut body, &mut patience) => next?,
                () = growing.gone() => return Err(Refusal::Crowded),
            };
            let Some(more) = next else { break };
            let len = whole.len() + more.len();
            if len > LIMIT {
                return Err(Refusal::TooLarge(LIMIT));
            }
            if whole.len() <= SMALL && len > SMALL {
                growing = self.large.begin(len)?;
            } else {
                growing.grow(more.len())?;
            }
            whole.extend_from_slice(&more);
        }
        Ok((whole.into(), growing.hold()?))
    }

    fn room(&self, len: usize) -> &Room {
        if len <= SMALL { &self.small } else { &self.large }
    }

    /// The next bytes, if there are more.
    async fn next(
        &self,
        body: &mut Body,
        patience: &mut Patience,
    ) -> Result<Option<Bytes>, Refusal> {
        loop {
            let frame = timeout_at(patience.end, body.frame()).await;
            let frame = frame.map_err(|_| Refusal::TooSlow(self.deadline))?;
            let Some(frame) = frame.transpose().map_err(|_| Refusal::BrokenOff)? else {
                return Ok(None);
            };
            // The others are trailers, which no review has.
            if let Ok(bytes) = frame.into_data() {
                patience.lengthen(bytes.len());
                return Ok(Some(bytes));
            }
        }
    }
}

/// Until when the next bytes must be there.
struct Patience {
    end: Instant,
    last: Instant,
}

impl Patience {
    fn new(deadline: Duration) -> Self {
        let now = Instant::now();
        Self { end: now + GRACE.min(deadline), last: now + deadline }
    }

    /// What has come buys time, but nobody can save it up.
    fn lengthen(&mut self, bytes: usize) {
        #[allow(clippy::cast_precision_loss, reason = "a body has no 2^52 bytes")]
        let bought = Duration::from_secs_f64(bytes as f64 / RATE);
        self.end = (self.end + bought).min(Instant::now() + GRACE).min(self.last);
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bodies: &Bodies, len: usize) -> Result<usize, Refusal> {
        let request = Request::post("/mutate").header(CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(vec![b' '; len])).unwrap();
        bodies.read(request).await.map(|(body, _)| body.len())
    }

    #[tokio::test]
    async fn large_bodies_that_are_judged_leave_the_room_of_small_ones() {
        let bodies = Bodies::new(Duration::from_secs(10));
        let held = bodies.large.hold(LARGE_ROOM).unwrap();
        assert!(matches!(read(&bodies, SMALL + 1).await, Err(Refusal::Crowded)));
        assert!(matches!(read(&bodies, SMALL).await, Ok(SMALL)));
        drop(held);
        assert!(matches!(read(&bodies, LIMIT).await, Ok(LIMIT)));
        assert!(matches!(read(&bodies, LIMIT + 1).await, Err(Refusal::TooLarge(_))));
    }
}
