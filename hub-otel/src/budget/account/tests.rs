use super::*;

fn usd(dollars: f64) -> Charge {
    Charge { cost: Picodollars::from_usd(dollars), tokens: 1_000 }
}

#[test]
fn calls_are_limited_exactly() {
    let account = Account::new(Budget::new().llm_calls(2).tool_calls(1), Spent::new(), None);
    account.admit(CallKind::Llm).unwrap().end(usd(0.1));
    let open = account.admit(CallKind::Llm).unwrap();
    let exceeded = account.admit(CallKind::Llm).unwrap_err();
    assert_eq!(exceeded.limit(), BudgetLimit::LlmCalls);
    assert_eq!(
        exceeded.to_string(),
        "the budget is exceeded: llm_calls is 2 of 2; the call was not started"
    );
    drop(open);
    drop(account.admit(CallKind::Tool).unwrap());
    assert_eq!(account.admit(CallKind::Tool).unwrap_err().limit(), BudgetLimit::ToolCalls);
    assert_eq!(account.spent().llm_calls(), 2);
    assert_eq!(account.spent().tool_calls(), 1);
}

#[test]
fn sums_of_dollars_are_exact() {
    let account = Account::new(Budget::new().usd(1.0), Spent::new(), None);
    for _ in 0..10 {
        account.admit(CallKind::Llm).unwrap().end(usd(0.1));
    }
    assert_eq!(account.spent().usd(), 1.0);
    assert_eq!(account.admit(CallKind::Llm).unwrap_err().limit(), BudgetLimit::Usd);
    assert_eq!(account.admit(CallKind::Tool).unwrap_err().limit(), BudgetLimit::Usd);
}

#[test]
fn calls_in_progress_count_as_the_largest_one() {
    let account = Account::new(Budget::new().tokens(3_500), Spent::new(), None);
    account.admit(CallKind::Llm).unwrap().end(usd(0.0));
    let open: Vec<_> = (0..3).map(|_| account.admit(CallKind::Llm).unwrap()).collect();
    assert_eq!(account.admit(CallKind::Llm).unwrap_err().limit(), BudgetLimit::Tokens);
    open.into_iter().for_each(|call| call.end(usd(0.0)));
    assert_eq!(account.spent().tokens(), 4_000, "one call over");
}

#[test]
fn a_call_is_charged_to_every_budget_around_it_or_to_none() {
    let outer = Account::new(Budget::new().llm_calls(1), Spent::new(), None);
    let inner = Account::new(Budget::new().usd(5.0), Spent::new(), Some(Arc::clone(&outer)));
    inner.admit(CallKind::Llm).unwrap().end(usd(0.25));
    assert_eq!(inner.admit(CallKind::Llm).unwrap_err().limit(), BudgetLimit::LlmCalls);
    assert_eq!((outer.spent().usd(), outer.spent().llm_calls()), (0.25, 1));
    assert_eq!((inner.spent().usd(), inner.spent().llm_calls()), (0.25, 1));
}

/// Makes calls of 7 cents on four threads until each is refused. Each thread calls `during` in
/// the middle of a call. Returns the number of calls.
fn call_on_four_threads(account: &Arc<Account>, during: impl Fn() + Sync) -> u64 {
    let count = || {
        let mut calls = 0;
        while let Ok(admission) = account.admit(CallKind::Llm) {
            during();
            admission.end(usd(0.07));
            calls += 1;
        }
        calls
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

#[test]
fn the_first_calls_of_four_threads_exceed_a_budget_by_less_than_four_calls() {
    let account = Account::new(Budget::new().usd(0.1), Spent::new(), None);
    // Each thread is in its first call before one of them ends: none is estimated.
    let all_in_flight = std::sync::Barrier::new(4);
    let calls = call_on_four_threads(&account, || {
        all_in_flight.wait();
    });
    assert_eq!(calls, 4);
    assert!(account.spent().usd() < 0.1 + 4.0 * 0.07, "{:?}", account.spent());
}

#[test]
fn the_first_calls_of_a_resumed_run_are_estimated_by_the_earlier_ones() {
    let spent = Spent::new().with_usd(0.07).with_tokens(1_000).with_llm_calls(1);
    let limited = [Budget::new().usd(0.14), Budget::new().tokens(2_000)];
    for budget in limited {
        let account = Account::new(budget, spent, None);
        assert_eq!(call_on_four_threads(&account, std::thread::yield_now), 1, "{budget:?}");
    }
    // Rounded up: an average of nothing would admit all.
    let spent = Spent::new().with_tokens(1).with_llm_calls(3);
    let account = Account::new(Budget::new().tokens(2), spent, None);
    let open = account.admit(CallKind::Llm).unwrap();
    assert_eq!(account.admit(CallKind::Llm).unwrap_err().limit(), BudgetLimit::Tokens);
    drop(open);
}

#[test]
fn four_threads_never_exceed_a_budget_by_more_than_one_call() {
    let account = Account::new(Budget::new().usd(2.0), Spent::new(), None);
    account.admit(CallKind::Llm).unwrap().end(usd(0.07));
    let calls = call_on_four_threads(&account, std::thread::yield_now);
    let spent = account.spent();
    // 28 calls cost 1.96, so one more is admitted, whatever the interleaving.
    assert_eq!((calls + 1, spent.llm_calls()), (29, 29));
    assert_eq!(spent.usd(), 2.03);
}

#[test]
fn an_account_continues_what_an_earlier_segment_spent() {
    let spent = Spent::new().with_usd(0.9).with_llm_calls(3);
    let account = Account::new(Budget::new().usd(1.0).llm_calls(10), spent, None);
    account.admit(CallKind::Llm).unwrap().end(usd(0.2));
    assert_eq!(account.spent().usd(), 1.1);
    assert_eq!(account.admit(CallKind::Llm).unwrap_err().limit(), BudgetLimit::Usd);
}
