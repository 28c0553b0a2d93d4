//! Every function shape that the attributes accept. Compiled in editions 2018, 2021 and 2024 with
//! all strict lints denied: see tests/hygiene and tests/editions.

use futures_util::stream::{self, BoxStream, LocalBoxStream};
use futures_util::{Stream, StreamExt, TryStreamExt};
use hub_otel::{ErrorType, Label, TimedOut, instrument_agent, instrument_workflow};
use hub_otel::{instrument_llm, instrument_tool};
use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// An error type of the user.
#[derive(Debug, ErrorType)]
pub enum SyncError {
    /// No items left.
    Empty,
    /// A timeout.
    #[hub(timed_out)]
    Deadline(TimedOut),
    /// A renamed variant.
    #[hub(rename = "io")]
    Disk(std::io::Error),
    /// Identified by the inner error.
    #[hub(transparent)]
    Inner(Box<Self>),
}

impl From<TimedOut> for SyncError {
    fn from(deadline: TimedOut) -> Self {
        Self::Deadline(deadline)
    }
}

/// An error of one kind.
#[derive(Debug, ErrorType)]
#[hub(rename = "out_of_paper")]
pub struct OutOfPaper;

/// A label of the user.
#[derive(Debug, Clone, Copy, Label)]
pub enum Region {
    /// `eu_west`
    EuWest,
    /// `us-1`
    #[hub(rename = "us-1")]
    Us1,
}

/// A run of the user.
#[derive(Debug, Clone)]
pub struct Run {
    /// An identity.
    pub id: String,
    /// A number.
    pub attempt: u32,
    /// An optional name.
    pub name: Option<String>,
}

/// Zero configuration.
#[instrument_workflow]
pub async fn nothing() {}

/// Parentheses with nothing in them.
#[instrument_agent()]
pub async fn value(a: u32, b: u32) -> u32 {
    a + b
}

/// Early returns, `?`, a `Result` behind an alias.
#[instrument_workflow(id = run.id, name = run.name, run_id = run.id, trigger = "manual")]
pub async fn identity(run: &Run) -> Answer<u32> {
    if run.attempt > 3 {
        return Err(SyncError::Empty);
    }
    let attempt = value(run.attempt, 1).await;
    let same = Ok::<_, SyncError>(attempt)?;
    Ok(same)
}

/// A `Result` that does not look like one.
pub type Answer<T> = Result<T, SyncError>;

/// Everything at once.
#[instrument_agent(
    id = run.id,
    name = "everything",
    action = run.attempt,
    run_id = format!("{}-{}", run.id, run.attempt),
    fields(run.attempt, region = ?region, "user.text" = %text, double = run.attempt * 2, text),
    labels(region, urgent = run.attempt > 2, kind = "test"),
    ret(|out| length = out.len(), "first.char" = ?out.chars().next()),
    err(expected = is_empty),
    status = status_of,
    timeout = Duration::from_secs(59),
    gen_ai,
    span_name = "agent.everything",
    kind = client,
    links = None::<opentelemetry::trace::SpanContext>,
    enabled = run.attempt < 100,
)]
pub async fn everything(run: &Run, region: Region, text: String) -> Result<String, SyncError> {
    value(1, 2).await;
    Ok(format!("{}{text}{region:?}", run.id))
}

const fn is_empty(error: &SyncError) -> bool {
    matches!(error, SyncError::Empty)
}

const fn status_of(outcome: &Result<String, SyncError>) -> hub_otel::UnitStatus {
    match outcome {
        Ok(_) => hub_otel::UnitStatus::Success,
        Err(_) => hub_otel::UnitStatus::Failed,
    }
}

/// A trace of its own; an `Option` whose `None` is a failure.
#[instrument_workflow(root, none = error)]
pub async fn root(list: &[u32]) -> Option<&u32> {
    list.first()
}

/// A unit under a context that is handed over.
#[instrument_agent(parent = parent)]
pub async fn under(parent: &opentelemetry::Context) {
    let _ = parent;
}

/// The next segment of a run, if there was one.
#[instrument_workflow(id = "resumed", resume = segment)]
pub async fn resumed(segment: Option<hub_otel::Segment>) -> bool {
    segment.is_some()
}

/// A boxed future calls itself.
#[instrument_agent(boxed)]
pub async fn recursion(depth: u32) -> u32 {
    if depth == 0 { 0 } else { recursion(depth - 1).await + 1 }
}

/// A recursion that boxes by itself.
#[instrument_agent]
pub async fn boxed_by_hand(depth: u32) -> u32 {
    if depth == 0 { 0 } else { Box::pin(boxed_by_hand(depth - 1)).await + 1 }
}

/// `&String` where `&str` is returned, twice.
#[instrument_workflow]
pub async fn coerces<'a>(text: &'a String, other: &'a str) -> &'a str {
    if other.is_empty() {
        return text;
    }
    text
}

/// A trait object behind two types.
#[instrument_workflow]
pub async fn erased(number: bool) -> Box<dyn Display + Send> {
    if number {
        return Box::new(1);
    }
    Box::new("one")
}

/// Patterns, a wildcard and `mut`.
#[instrument_workflow(fields(a, b))]
pub async fn patterns(
    (a, b): (u32, u32),
    _: u32,
    mut list: Vec<u32>,
    Point { x, y }: Point,
    _unused: u32,
) -> u32 {
    list.push(a);
    list.push(b);
    list.iter().sum::<u32>() + x + y
}

/// Something to take apart.
#[derive(Debug)]
pub struct Point {
    /// Across.
    pub x: u32,
    /// Up.
    pub y: u32,
}

/// Generic, const generic, with bounds in both places.
#[instrument_agent(id = name, fields(count = N))]
pub async fn generic<'a, T, const N: usize>(name: &'a T, rest: [u8; N]) -> String
where
    T: Display + Sync + ?Sized + 'a,
{
    format!("{name}{}", rest.len())
}

/// `impl Trait` in and out.
#[instrument_agent]
pub async fn opaque(text: impl Display + Send) -> impl Display {
    text.to_string()
}

/// `impl Trait` inside of a `Result`: only the signature names the error of `?`.
#[instrument_agent]
pub async fn opaque_in_result(run: &Run) -> Result<impl Display + use<>, SyncError> {
    let attempt = identity(run).await?;
    Ok(attempt.to_string())
}

/// The same without `async`, in an `Option`, and several at once.
#[instrument_agent]
pub fn opaque_in_tuple(text: &str) -> Option<(impl Display, Vec<impl Display + use<>>)> {
    let first = text.chars().next()?;
    Some((first, vec![text.len()]))
}

/// An erased error that contains a borrow.
#[instrument_agent]
pub async fn borrowed_error<'a>(text: &'a str) -> Result<u32, Box<dyn Error + 'a>> {
    let number = text.parse::<u32>()?;
    if number > 9 {
        return Err(Box::new(TooLarge(text)));
    }
    Ok(number)
}

/// The same without `async`, with an elided lifetime.
#[instrument_agent]
pub fn elided_error(text: &str) -> Result<u32, Box<dyn Error + '_>> {
    Err(Box::new(TooLarge(text)))
}

/// An error that contains a borrow.
#[derive(Debug, ErrorType)]
pub struct TooLarge<'t>(pub &'t str);

impl Display for TooLarge<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for TooLarge<'_> {}

/// A borrowed trait object, and a borrowed error by its name.
#[instrument_agent]
pub async fn borrowed_object<'t>(
    text: &'t &'t str,
) -> Result<&'t (dyn Display + Sync), TooLarge<'t>> {
    if text.len() > 9 {
        return Err(TooLarge(text));
    }
    Ok(text)
}

/// Parameters whose lints are allowed or expected.
#[instrument_agent]
pub async fn expected(
    #[expect(unused_variables, reason = "never used")] idle: u32,
    #[allow(unused_variables)] allowed: u32,
    used: u32,
) -> u32 {
    used
}

/// The same on the function, whose body has another variable of that name.
#[expect(unused_variables, reason = "the parameter is shadowed")]
#[instrument_agent(keep_async)]
pub async fn shadowed(number: u32) -> u32 {
    let number = 7;
    number + 1
}

/// An expectation that only an `async fn` fulfils.
#[instrument_agent]
#[expect(clippy::unused_async, reason = "an interface")]
pub async fn without_await() -> u32 {
    7
}

/// Arrays as attributes.
#[instrument_agent(fields("finish_reasons" = reasons, hosts, pair, scores), ret(|out| out))]
pub async fn arrays(
    reasons: &[&str],
    hosts: &[String],
    pair: [i64; 2],
    scores: &[f64],
) -> Vec<bool> {
    vec![reasons.len() == hosts.len(), pair.len() == scores.len()]
}

/// Parameters that are not always there.
#[instrument_agent]
pub async fn conditional(#[cfg(any())] never: Missing, #[cfg(not(any()))] always: u32) -> u32 {
    always
}

/// An unsafe function stays one.
///
/// # Safety
/// There is nothing to fear.
#[instrument_agent]
pub async unsafe fn dangerous(number: u32) -> u32 {
    number
}

/// `async` stays.
#[instrument_agent(keep_async)]
pub async fn kept((a, b): (u32, u32), list: &[u32]) -> u32 {
    a + b + list.iter().sum::<u32>()
}

/// A function with `#[must_use]`.
#[must_use]
#[instrument_agent]
pub async fn must_use(number: u32) -> u32 {
    number
}

/// Never returns.
#[instrument_workflow]
pub async fn never(fail: bool) -> ! {
    assert!(!fail, "on purpose");
    std::process::abort()
}

/// Inner attributes, nested items, a macro, a closure and a loop in the body.
#[instrument_workflow]
pub async fn body(list: Vec<u32>) -> u32 {
    #![expect(
        clippy::items_after_statements,
        reason = "an inner attribute that has to reach the statements"
    )]
    let mut sum = 0;
    const BASE: u32 = 1;
    const fn helper(value: u32) -> u32 {
        value + BASE
    }
    'outer: for value in list {
        if value > 10 {
            break 'outer;
        }
        sum += helper(value);
    }
    let add = |value: u32| value + sum;
    add(1)
}

/// A synchronous function.
#[instrument_workflow(id = "plan", fields(size = list.len()))]
pub fn synchronous(list: &mut Vec<u32>) -> Result<&mut u32, OutOfPaper> {
    if list.is_empty() {
        return Err(OutOfPaper);
    }
    let last = list.last_mut().ok_or(OutOfPaper)?;
    Ok(last)
}

/// A synchronous function that returns what it cannot name.
#[instrument_workflow]
pub fn iterates(list: &[u32]) -> impl Iterator<Item = &u32> {
    list.iter()
}

/// A function that returns a future, with work at the call.
#[instrument_workflow(id = name, fields(name))]
pub fn returns_opaque(name: String) -> impl Future<Output = usize> {
    let length = name.len();
    async move { length }
}

/// A closure whose signature only the returned type gives.
#[instrument_workflow(fields(from))]
pub fn returns_closure(from: usize) -> impl Fn(&str) -> &str {
    move |text| &text[from..]
}

/// A function whose future has a `Result`: only the signature names the error of `?`.
#[instrument_workflow]
pub fn returns_opaque_result(run: Run) -> impl Future<Output = Result<u32, SyncError>> {
    async move {
        let attempt = identity(&run).await?;
        Ok(attempt + 1)
    }
}

/// A boxed one.
#[instrument_workflow(id = name, fields(name), timeout = Duration::from_secs(59))]
pub fn returns_boxed<'a>(
    name: &'a str,
) -> Pin<Box<dyn Future<Output = Result<usize, SyncError>> + Send + 'a>> {
    if name.is_empty() {
        return Box::pin(async { Err(SyncError::Empty) });
    }
    Box::pin(async move { Ok(name.len()) })
}

/// By the name that the field uses.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A future by the field's name.
#[instrument_agent]
pub fn returns_box_future(number: u32) -> BoxFuture<'static, u32> {
    Box::pin(async move { number })
}

/// A name without meaning.
pub type Promise = Pin<Box<dyn Future<Output = u32> + Send>>;

/// A future behind an alias.
#[instrument_agent(future)]
pub fn returns_alias(number: u32) -> Promise {
    Box::pin(async move { number })
}

/// A stream whose items have an error, with work at the call.
#[instrument_agent(id = name, fields(name), err(expected = is_empty))]
pub fn streams(name: String) -> impl Stream<Item = Result<u32, SyncError>> + Send {
    let length: u32 = name.chars().map(|_| 1).sum();
    stream::once(async move { Ok(length + identity_of(&name).await?) })
}

async fn identity_of(name: &str) -> Result<u32, SyncError> {
    std::future::ready(()).await;
    if name.is_empty() { Err(SyncError::Empty) } else { Ok(1) }
}

/// A borrowed stream, with an early return of the same type.
#[instrument_workflow(fields(words = words.len()))]
pub fn streams_borrowed<'a>(
    words: &'a [String],
    prefix: &'a str,
) -> impl Stream<Item = &'a str> + Unpin + 'a {
    stream::iter(words.iter().map(String::as_str).filter(move |word| word.starts_with(prefix)))
}

/// A stream that captures only its type parameter.
#[instrument_agent(boxed)]
pub fn streams_captured<T: Display>(list: &[T]) -> impl Stream<Item = String> + use<T> {
    stream::iter(list.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// A boxed one.
#[instrument_agent(id = name)]
pub fn streams_boxed<'a>(
    name: &'a str,
) -> BoxStream<'a, Result<usize, Box<dyn Error + Send + 'a>>> {
    if name.is_empty() {
        return stream::empty().boxed();
    }
    stream::iter([Ok(name.len())]).boxed()
}

/// A boxed one that is not `Send`.
#[instrument_workflow]
pub fn streams_locally(number: u32) -> LocalBoxStream<'static, u32> {
    stream::iter([number]).boxed_local()
}

/// A pinned one with a timeout.
#[instrument_workflow(timeout = Duration::from_secs(limit))]
pub fn streams_pinned(limit: u64) -> Pin<Box<dyn Stream<Item = Result<u64, SyncError>> + Send>> {
    Box::pin(stream::iter([Ok(limit)]))
}

/// A name without meaning.
pub type Lines = Pin<Box<dyn Stream<Item = u32> + Send>>;

/// A stream behind an alias.
#[instrument_agent(stream)]
pub fn streams_alias(number: u32) -> Lines {
    Box::pin(stream::iter([number]))
}

/// A stream or an error.
#[instrument_agent(id = text)]
pub fn streams_in_result(
    text: &str,
) -> Result<impl Stream<Item = u32> + use<>, std::num::ParseIntError> {
    let number = text.parse()?;
    Ok(stream::iter([number]))
}

/// A boxed stream or an error.
#[instrument_agent]
pub fn streams_boxed_in_result(number: u32) -> Result<BoxStream<'static, u32>, SyncError> {
    if number == 0 {
        return Err(SyncError::Empty);
    }
    Ok(stream::iter([number]).boxed())
}

/// A stream after an await.
#[instrument_agent(fields(name))]
pub async fn streams_later(name: &str) -> impl Stream<Item = Result<u32, SyncError>> + use<> {
    let found = identity_of(name).await;
    stream::iter([found])
}

/// A boxed stream or an error after an await.
#[instrument_agent(id = name)]
pub async fn streams_later_in_result(name: &str) -> Result<BoxStream<'_, &str>, SyncError> {
    identity_of(name).await?;
    Ok(stream::iter([name]).boxed())
}

/// Collects every stream.
#[expect(clippy::future_not_send, reason = "one of the streams is a local one")]
async fn collect_streams() {
    assert_eq!(streams("abc".to_owned()).try_collect::<Vec<_>>().await.ok(), Some(vec![4]));
    let words = ["abc".to_owned(), "b".to_owned()];
    assert_eq!(streams_borrowed(&words, "a").collect::<Vec<_>>().await, ["abc"]);
    assert_eq!(streams_captured(&[7]).collect::<String>().await, "7");
    assert_eq!(streams_boxed("").count().await + streams_boxed("abc").count().await, 1);
    assert_eq!(streams_locally(1).count().await + streams_pinned(59).count().await, 2);
    assert_eq!(streams_alias(5).collect::<Vec<_>>().await, [5]);
    assert!(streams_in_result("x").is_err() && streams_boxed_in_result(0).is_err());
    if let (Ok(first), Ok(second)) = (streams_in_result("1"), streams_boxed_in_result(2)) {
        assert_eq!(first.chain(second).collect::<Vec<_>>().await, [1, 2]);
    }
    assert_eq!(streams_later("abc").await.count().await, 1);
    if let Ok(stream) = streams_later_in_result("abc").await {
        assert_eq!(stream.collect::<String>().await, "abc");
    }
    assert!(streams_later_in_result("").await.is_err());
}

/// A worker with every kind of `self`.
#[derive(Debug, Default, Clone)]
pub struct Worker {
    /// Its name.
    pub name: String,
    /// Work done so far.
    pub done: u32,
}

impl Worker {
    /// By reference.
    #[instrument_agent(id = self.name, fields(self.done))]
    pub async fn by_reference(&self, _other: &str) -> &str {
        &self.name
    }

    /// By mutable reference.
    #[instrument_agent(id = self.name)]
    pub async fn by_mutable_reference(&mut self) -> &mut u32 {
        self.done += 1;
        &mut self.done
    }

    /// By value.
    #[instrument_agent(id = self.name)]
    pub async fn by_value(mut self) -> Self {
        self.done += 1;
        self
    }

    /// In an `Arc`.
    #[instrument_agent(id = self.name)]
    pub async fn in_an_arc(self: Arc<Self>) -> u32 {
        self.done
    }

    /// In a box.
    #[instrument_agent]
    pub async fn in_a_box(self: Box<Self>) -> u32 {
        self.done
    }

    /// Pinned.
    #[instrument_agent]
    pub async fn pinned(self: Pin<&Self>) -> u32 {
        self.done
    }

    /// Without `self`.
    #[instrument_agent]
    pub async fn associated(name: String) -> Self {
        Self { name, done: 0 }
    }
}

/// A whole block.
#[instrument_agent(id = "worker", gen_ai)]
impl Worker {
    /// Not a method.
    pub const LIMIT: u32 = 3;

    /// A getter is left alone.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// In by its shape.
    pub async fn first(&self) -> u32 {
        self.done
    }

    /// Arguments of its own.
    #[hub(action = "second", fields(self.done))]
    pub async fn second(&self) -> u32 {
        self.done + 1
    }

    /// Left out.
    #[hub(skip)]
    pub async fn third(&self) -> u32 {
        std::future::ready(self.done + 2).await
    }

    /// Synchronous, included by `#[hub]`.
    #[hub]
    pub fn fourth(&self) -> u32 {
        self.done + 3
    }

    /// An attribute of its own.
    #[instrument_workflow(id = "fifth")]
    pub async fn fifth(&self) -> u32 {
        self.done + 4
    }
}

/// A call of a model.
#[instrument_llm(
    provider = "openai",
    model = model,
    operation = "chat",
    data_source = None::<&str>,
    fields(prompt.length = prompt.len()),
    ret(|out| length = out.len()),
    timeout = Duration::from_secs(59),
)]
pub async fn calls_model(model: &str, prompt: String) -> Result<String, TimedOut> {
    value(1, 2).await;
    Ok(format!("{model}: {prompt}"))
}

/// A call of a model with a streamed response.
#[instrument_llm(provider = "openai", model = "gpt-4o")]
pub fn calls_model_streamed(words: Vec<u8>) -> impl Stream<Item = Result<u8, SyncError>> {
    stream::iter(words).map(Ok)
}

/// A tool that is not async.
#[instrument_tool(name = "double", call_id = id)]
pub fn calls_tool(id: Option<&str>, number: u32) -> Result<u32, SyncError> {
    if id.is_none() { Err(SyncError::Empty) } else { Ok(number * 2) }
}

/// Tools.
#[instrument_tool]
impl Run {
    /// A tool.
    #[hub(fields(self.attempt))]
    pub async fn tool_of_block(&self) -> u32 {
        self.attempt
    }

    /// A tool with a name of its own, and a call of a model in a block of tools.
    #[hub(name = "renamed")]
    #[instrument_llm(model = "m")]
    pub async fn tool_and_model(&self) -> u32 {
        self.attempt
    }
}

/// A trait whose error its implementation names.
pub trait Parse {
    /// Its error.
    type Error;

    /// Parses.
    fn parse(&self) -> impl Future<Output = Result<u32, Self::Error>>;
}

/// A text to parse.
#[derive(Debug)]
pub struct Text<'t>(pub &'t str);

impl<'t> Parse for Text<'t> {
    type Error = Box<dyn Error + 't>;

    #[instrument_agent]
    async fn parse(&self) -> Result<u32, Self::Error> {
        self.0.parse().map_err(|_| -> Self::Error { Box::new(TooLarge(self.0)) })
    }
}

/// A trait with a native `async fn`, and one that requires `Send`.
pub trait Job {
    /// Output of the run.
    type Output;

    /// Native.
    fn run(&self, input: &str) -> impl Future<Output = Self::Output> + Send;

    /// With a body.
    fn twice(&self, input: &str) -> impl Future<Output = Self::Output> + Send
    where
        Self: Sync,
    {
        self.run(input)
    }
}

impl Job for Worker {
    type Output = usize;

    #[instrument_agent(id = self.name)]
    async fn run(&self, input: &str) -> usize {
        input.len()
    }
}

/// Sends what it is given, as `tokio::spawn` would.
pub const fn is_send<T: Send>(value: T) -> T {
    value
}

/// Calls everything once.
///
/// # Panics
/// Where a function does not do what it does without the attribute.
#[expect(clippy::future_not_send, reason = "one of the streams is a local one")]
pub async fn call_everything() {
    let run = Run { id: "r-1".to_owned(), attempt: 1, name: None };
    nothing().await;
    assert_eq!(is_send(value(1, 2)).await, 3);
    assert_eq!(is_send(identity(&run)).await.ok(), Some(2));
    let text = is_send(everything(&run, Region::EuWest, "x".to_owned())).await;
    assert_eq!(text.ok().as_deref(), Some("r-1xEuWest"));
    assert_eq!(root(&[7]).await, Some(&7));
    under(&opentelemetry::Context::new()).await;
    assert!(!resumed(None).await);
    assert_eq!(is_send(recursion(3)).await + is_send(boxed_by_hand(3)).await, 6);
    assert_eq!(coerces(&run.id, "").await, "r-1");
    assert_eq!(erased(true).await.to_string() + &erased(false).await.to_string(), "1one");
    assert_eq!(patterns((1, 2), 0, vec![3], Point { x: 4, y: 5 }, 0).await, 15);
    assert_eq!(generic("n", [0; 4]).await, "n4");
    assert_eq!(format!("{}", opaque(5).await), "5");
    assert_eq!(
        is_send(opaque_in_result(&run)).await.ok().map(|n| format!("{n}")),
        Some("2".to_owned())
    );
    assert_eq!(opaque_in_tuple("abc").map(|(a, b)| format!("{a}{}", b[0])), Some("a3".to_owned()));
    assert_eq!(borrowed_error("7").await.ok(), Some(7));
    assert_eq!(borrowed_error("10").await.map_err(|error| error.to_string()), Err("10".to_owned()));
    assert_eq!(elided_error("x").map_err(|error| error.to_string()), Err("x".to_owned()));
    assert_eq!(
        is_send(borrowed_object(&"x")).await.map(ToString::to_string).ok(),
        Some("x".to_owned())
    );
    assert_eq!(expected(1, 2, 3).await + shadowed(1).await + without_await().await, 18);
    assert_eq!(arrays(&["stop"], &[String::new()], [1, 2], &[0.5, 1.5]).await, [true, true]);
    assert_eq!(is_send(returns_opaque_result(run.clone())).await.ok(), Some(3));
    assert_eq!(returns_closure(1)("abc"), "bc");
    assert_eq!(conditional(6).await, 6);
    assert_eq!(kept((1, 2), &[3]).await + must_use(1).await, 7);
    assert_eq!(body(vec![1, 2, 11, 5]).await, 6);
    let mut list = vec![1, 2];
    if let Ok(last) = synchronous(&mut list) {
        *last += 1;
    }
    assert_eq!(iterates(&list).copied().collect::<Vec<_>>(), [1, 3]);
    assert_eq!(returns_opaque("abc".to_owned()).await, 3);
    assert!(returns_boxed("").await.is_err() && returns_boxed("abc").await.is_ok());
    assert_eq!(returns_box_future(1).await + returns_alias(2).await, 3);
    collect_streams().await;
    let mut worker = Worker::associated("w".to_owned()).await;
    assert_eq!(is_send(worker.by_reference("other")).await, "w");
    *worker.by_mutable_reference().await += 1;
    let worker = worker.by_value().await;
    assert_eq!(Text("x").parse().await.map_err(|error| error.to_string()), Err("x".to_owned()));
    assert_eq!(worker.run("four").await + worker.twice("four").await, 8);
    assert_eq!(worker.first().await + worker.second().await + worker.third().await, 12);
    assert_eq!(worker.fourth() + worker.fifth().await, 13);
    assert_eq!(is_send(calls_model("m", "hi".to_owned())).await.ok().as_deref(), Some("m: hi"));
    assert_eq!(calls_model_streamed(vec![1, 2]).count().await, 2);
    assert_eq!(calls_tool(Some("c"), 2).ok().or_else(|| calls_tool(None, 2).ok()), Some(4));
    assert_eq!(is_send(run.tool_of_block()).await + run.tool_and_model().await, 2);
    assert_eq!(Pin::new(&worker).pinned().await, 3);
    assert_eq!(Box::new(worker.clone()).in_a_box().await + Arc::new(worker).in_an_arc().await, 6);
}
