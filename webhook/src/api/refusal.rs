//! What is answered where there is no review to answer: an HTTP code and one sentence, which
//! kubectl shows after `failed calling webhook`.

use std::time::Duration;

use axum::http::StatusCode;

use super::room;
use crate::admission::EnvelopeError;

/// Why a request is not answered by an admission review.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("there is nothing at this path: send admission reviews to /mutate or /validate")]
    Path,
    #[error("this method is not answered: send admission reviews by POST")]
    Method,
    #[error("the content type is not application/json: send an AdmissionReview as JSON")]
    ContentType,
    #[error("the body is larger than {0} bytes, more than any AdmissionReview of Kubernetes")]
    TooLarge(usize),
    #[error(
        "the body comes too slowly: send 64 KiB a second or more, and all within {} seconds",
        .0.as_secs()
    )]
    TooSlow(Duration),
    #[error("so many bodies are coming that there is no room for this one: send it again")]
    Crowded,
    #[error("the body broke off: send it whole")]
    BrokenOff,
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error("the answer cannot be written as JSON: {0}; this is a fault of the webhook")]
    Answer(#[source] serde_json::Error),
}

impl Refusal {
    pub(super) fn code(&self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::BrokenOff | Self::Envelope(_) => StatusCode::BAD_REQUEST,
            Self::Answer(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<room::Crowded> for Refusal {
    fn from(_: room::Crowded) -> Self {
        Self::Crowded
    }
}
