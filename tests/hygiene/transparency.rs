//! The attribute does not change the program: each pair is one body with and without it.

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Logs its name when it is dropped.
struct Dropped(&'static str, Rc<RefCell<Vec<&'static str>>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

/// Returns `Pending` on its first poll.
#[derive(Default)]
struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Drop order of the arguments and local variables of the function in `make`, after `polls` polls.
fn order<F: Future>(
    polls: usize,
    make: impl FnOnce(&dyn Fn(&'static str) -> Dropped) -> F,
) -> Vec<&'static str> {
    let log = Rc::new(RefCell::new(Vec::new()));
    let future = make(&|name| Dropped(name, Rc::clone(&log)));
    {
        let mut future = Box::pin(future);
        for _ in 0..polls {
            let _ = poll(future.as_mut());
        }
        log.borrow_mut().push("|");
    }
    log.take()
}

macro_rules! pair {
    ($(#[$attribute:meta])* $name:ident, $annotated:ident,
     ($($pattern:pat => $type:ty),*) $body:block) => {
        $(#[$attribute])* async fn $name($($pattern: $type),*) $body
        #[hub_otel::instrument_workflow]
        $(#[$attribute])* async fn $annotated($($pattern: $type),*) $body
    };
}

pair!(simple, simple_annotated, (_a => Dropped, b => Dropped, _c => Dropped) {
    let _local = Dropped("local", Rc::clone(&b.1));
    Yield::default().await;
});

pair!(moved, moved_annotated, (a => Dropped, b => Dropped, c => Dropped) {
    drop(b);
    let _first = a;
    Yield::default().await;
    let _ = &c;
});

pair!(wildcard, wildcard_annotated, (a => Dropped, _ => Dropped, c => Dropped) {
    let _local = Dropped("local", Rc::clone(&a.1));
    Yield::default().await;
    let _ = c;
});

pair!(destructured, destructured_annotated,
    (_a => Dropped, (_b, _c) => (Dropped, Dropped), _ => Dropped, d => Dropped) {
    let _local = Dropped("local", Rc::clone(&d.1));
    Yield::default().await;
});

#[test]
fn arguments_and_locals_drop_in_the_same_order_whether_it_finishes_or_is_cancelled() {
    for polls in [1, 2] {
        macro_rules! same {
            ($plain:ident, $annotated:ident, $new:ident => ($($argument:expr),*)) => {
                assert_eq!(
                    order(polls, |$new| $plain($($argument),*)),
                    order(polls, |$new| $annotated($($argument),*)),
                    "{} polled {polls} times", stringify!($plain)
                );
            };
        }
        same!(simple, simple_annotated, new => (new("a"), new("b"), new("c")));
        same!(moved, moved_annotated, new => (new("a"), new("b"), new("c")));
        same!(wildcard, wildcard_annotated, new => (new("a"), new("b"), new("c")));
        same!(destructured, destructured_annotated, new => (new("a"), (new("b"), new("c")), new("_"), new("d")));
    }
}

#[test]
fn a_synchronous_function_drops_in_the_same_order() {
    fn plain(_a: Dropped, _: Dropped, b: Dropped, _c: Dropped) {
        let _local = Dropped("local", Rc::clone(&b.1));
    }
    #[hub_otel::instrument_agent]
    fn annotated(_a: Dropped, _: Dropped, b: Dropped, _c: Dropped) {
        let _local = Dropped("local", Rc::clone(&b.1));
    }
    let run = |function: fn(Dropped, Dropped, Dropped, Dropped)| {
        let log = Rc::new(RefCell::new(Vec::new()));
        let new = |name| Dropped(name, Rc::clone(&log));
        function(new("a"), new("_"), new("b"), new("c"));
        log.take()
    };
    assert_eq!(run(plain), ["local", "c", "b", "_", "a"]);
    assert_eq!(run(annotated), run(plain));
}

/// Message and line of a panic.
fn panic_of(run: impl FnOnce()) -> (String, u32) {
    thread_local! {
        static SEEN: RefCell<Option<(String, u32)>> = const { RefCell::new(None) };
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        let line = info.location().map_or(0, std::panic::Location::line);
        let message = info.payload_as_str().unwrap_or_default().to_owned();
        SEEN.with(|seen| seen.replace(Some((message, line))));
    }));
    let result = catch_unwind(AssertUnwindSafe(run));
    std::panic::set_hook(before);
    assert!(result.is_err());
    SEEN.take().unwrap()
}

#[test]
fn a_panic_has_the_same_message_and_line() {
    let place = line!() + 3;
    #[hub_otel::instrument_workflow]
    async fn annotated(number: u32) -> u32 {
        panic!("number {number} on purpose");
    }
    #[hub_otel::instrument_workflow]
    fn synchronous(number: u32) -> u32 {
        panic!("number {number} on purpose");
    }
    let message = "number 7 on purpose".to_owned();
    let polled = panic_of(|| {
        let _ = poll(pin!(annotated(7)));
    });
    assert_eq!(polled, (message.clone(), place));
    assert_eq!(panic_of(|| assert_eq!(synchronous(7), 0)), (message, place + 4));
}

#[test]
fn a_future_is_send_exactly_when_it_is_without_the_attribute() {
    #[hub_otel::instrument_agent]
    async fn with_an_rc(list: Rc<u32>) -> u32 {
        Yield::default().await;
        *list
    }
    #[hub_otel::instrument_agent(fields(length = list.len()), id = list.len())]
    async fn with_a_vec(list: Vec<u32>) -> usize {
        Yield::default().await;
        list.len()
    }
    // Ambiguous, and so an error, if the type is `Send`.
    trait AmbiguousIfSend<A> {
        fn check(&self) {}
    }
    impl<T: ?Sized> AmbiguousIfSend<()> for T {}
    impl<T: ?Sized + Send> AmbiguousIfSend<u8> for T {}
    with_an_rc(Rc::new(1)).check();
    fn is_send<T: Send>(_: T) {}
    is_send(with_a_vec(Vec::new()));
}

/// Future sizes in docs/performance.md.
mod sizes {
    use super::Yield;

    type Big = [u8; 512];

    macro_rules! five {
        ($(#[$attribute:meta])* $module:ident, $big:ident) => {
            pub(super) mod $module {
                use super::{Big, Yield};
                $(#[$attribute])*
                pub(in super::super) async fn leaf($big: Big) -> u8 {
                    Yield::default().await;
                    $big[0]
                }
                $(#[$attribute])*
                pub(in super::super) async fn two($big: Big) -> u8 { leaf($big).await + $big[1] }
                $(#[$attribute])*
                pub(in super::super) async fn three($big: Big) -> u8 { two($big).await + $big[2] }
                $(#[$attribute])*
                pub(in super::super) async fn four($big: Big) -> u8 { three($big).await + $big[3] }
                $(#[$attribute])*
                pub(in super::super) async fn five($big: Big) -> u8 { four($big).await + $big[4] }
            }
        };
    }
    five!(plain, big);
    five!(
        #[hub_otel::instrument_agent]
        annotated,
        big
    );
    five!(
        #[hub_otel::instrument_agent(id = big[0], fields(first = big[1]))]
        described,
        big
    );
}

#[test]
fn an_annotated_future_is_no_larger_than_the_plain_one() {
    let big = [0; 512];
    let leaf = [
        size_of_val(&sizes::plain::leaf(big)),
        size_of_val(&sizes::annotated::leaf(big)),
        size_of_val(&sizes::described::leaf(big)),
    ];
    let five = [
        size_of_val(&sizes::plain::five(big)),
        size_of_val(&sizes::annotated::five(big)),
        size_of_val(&sizes::described::five(big)),
    ];
    println!("leaf (plain, annotated, with run-time arguments): {leaf:?}; five deep: {five:?}");
    assert!(leaf[1] <= leaf[0] && leaf[2] <= leaf[0], "{leaf:?}");
    assert!(five[1] <= five[0] && five[2] <= five[0], "{five:?}");
}

#[test]
fn boxing_leaves_a_pointer() {
    #[hub_otel::instrument_agent(boxed)]
    async fn boxed(big: [u8; 512]) -> u8 {
        Yield::default().await;
        big[0]
    }
    assert_eq!(size_of_val(&boxed([0; 512])), size_of::<usize>());
}

mod streams {
    use super::{Dropped, Rc, RefCell};
    use futures_util::stream::{self, LocalBoxStream};
    use futures_util::{FutureExt, Stream, StreamExt};

    macro_rules! pair {
        ($name:ident, $annotated:ident, ($($argument:ident),*) -> $stream:ty, $body:block) => {
            fn $name($($argument: Dropped),*) -> $stream $body
            #[hub_otel::instrument_agent]
            fn $annotated($($argument: Dropped),*) -> $stream $body
        };
    }

    pair!(opaque, opaque_annotated, (_a, b, c) -> impl Stream<Item = u8>, {
        let _local = Dropped("local", Rc::clone(&b.1));
        stream::iter([1, 2, 3]).map(move |item| {
            let _ = (&b, &c);
            item
        })
    });

    pair!(boxed, boxed_annotated, (a, _b, c) -> LocalBoxStream<'static, u8>, {
        let _c = c;
        stream::unfold((a, 0), |(a, last)| async move {
            let _local = Dropped("local", Rc::clone(&a.1));
            (last < 3).then_some((last, (a, last + 1)))
        })
        .boxed_local()
    });

    fn order<S: Stream>(
        items: usize,
        make: impl FnOnce(&dyn Fn(&'static str) -> Dropped) -> S,
    ) -> Vec<&'static str> {
        let log = Rc::new(RefCell::new(Vec::new()));
        let stream = make(&|name| Dropped(name, Rc::clone(&log)));
        log.borrow_mut().push("returned");
        let _ = stream.take(items).count().now_or_never();
        log.take()
    }

    #[test]
    fn arguments_and_locals_of_a_stream_drop_in_the_same_order() {
        let capture = hub_otel::testing::capture();
        for items in [0, 2, 9] {
            assert_eq!(
                order(items, |new| opaque(new("a"), new("b"), new("c"))),
                order(items, |new| opaque_annotated(new("a"), new("b"), new("c"))),
            );
            assert_eq!(
                order(items, |new| boxed(new("a"), new("b"), new("c"))),
                order(items, |new| boxed_annotated(new("a"), new("b"), new("c"))),
            );
        }
        assert_eq!(capture.spans().len(), 4);
    }

    #[test]
    fn a_stream_is_send_exactly_when_it_is_without_the_attribute() {
        #[hub_otel::instrument_agent]
        fn with_an_rc(list: Rc<u8>) -> impl Stream<Item = u8> {
            stream::iter([1]).map(move |item| item + *list)
        }
        #[hub_otel::instrument_agent(fields(length = list.len()), id = list.len())]
        fn with_a_vec(list: Vec<u8>) -> impl Stream<Item = u8> {
            stream::iter(list)
        }
        // Ambiguous, and so an error, if the type is `Send`.
        trait AmbiguousIfSend<A> {
            fn check(&self) {}
        }
        impl<T: ?Sized> AmbiguousIfSend<()> for T {}
        impl<T: ?Sized + Send> AmbiguousIfSend<u8> for T {}
        with_an_rc(Rc::new(1)).check();
        fn is_send<T: Send + Sync + Unpin>(_: T) {}
        is_send(with_a_vec(Vec::new()));
    }
}
