use crate::config::{Config, invalid};
use crate::error::Result;
use crate::fit::Fit;
use crate::nearest::Nearest;
use crate::threads::Threads;
use std::time::Instant;

pub(crate) fn fit(
    _nearest: &mut Nearest<'_>,
    _config: &Config,
    _threads: &Threads<'_>,
    _start: Instant,
) -> Result<Fit> {
    Err(invalid("PLACEHOLDER".into()))
}
