//! Two of the algorithms as models, of which every run is looked at while they are small.
//!
//! A test on real servers sees the moments that happen to come. Here a step of a server, of the
//! stream, of a reader or of a sink is an action, and the checker (`stateright`) tries all orders of
//! them from all beginnings. What must hold is a property of each state. Each model also runs with
//! a fault planted in the algorithm; the checker must then find a run that breaks the property, and
//! prints it. So it is known that the model is fine enough to tell right from wrong.
//!
//! | model | what it stands for |
//! |---|---|
//! | [`snapshot`] | chunks read while the stream goes on: `cdc_mysql_source::snapshot`, `source` |
//! | [`apply`] | batches applied side by side, the ledger, takeover: `cdc_mysql_sink::parallel`, `ledger` |
//!
//! The small cases run with all tests; larger ones are ignored, and part of `make soak`.

mod apply;
mod snapshot;

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker, HasDiscoveries, Model};

/// Looks at every state; each property must hold. Returns how many states there are.
fn holds<M>(what: &str, model: M) -> usize
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let begun = std::time::Instant::now();
    let checker = model.checker().threads(2).spawn_dfs().join();
    checker.assert_properties();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("model {what}: {states} states, {depth} deep, {:.1} s", begun.elapsed().as_secs_f64());
    states
}

/// No run goes in a circle: each comes to an end, whoever is quicker.
fn ends<M>(what: &str, model: &M)
where
    M: Model,
    M::State: Clone + Eq + Hash,
{
    // Whether a state is on the way to the one looked at (its successors are not all known yet).
    let mut on_the_way = HashMap::new();
    let mut path: Vec<(M::State, Vec<M::State>)> = Vec::new();
    for first in model.init_states() {
        on_the_way.insert(first.clone(), true);
        let next = model.next_states(&first);
        path.push((first, next));
        while let Some((_, next)) = path.last_mut() {
            let Some(state) = next.pop() else {
                path.pop().into_iter().for_each(|(state, _)| on_the_way.extend([(state, false)]));
                continue;
            };
            match on_the_way.get(&state) {
                Some(true) => panic!("{what}: a run goes in a circle"),
                Some(false) => {}
                None => {
                    on_the_way.insert(state.clone(), true);
                    let next = model.next_states(&state);
                    path.push((state, next));
                }
            }
        }
    }
}

/// A short run that breaks a property; there must be one. It is printed up to where it does.
fn breaks<M>(what: &str, model: M, property: &'static str)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let checker = model.checker().finish_when(HasDiscoveries::AnyOf([property].into())).spawn_bfs().join();
    let states = checker.unique_state_count();
    let found = checker.discovery(property);
    let path = found.unwrap_or_else(|| panic!("{what}: nothing breaks '{property}' in {states} states"));
    let holds = checker.model().property(property).condition;
    println!("model {what}: '{property}' is broken, among {states} states, by");
    for (state, action) in path.into_vec() {
        match action.filter(|_| holds(checker.model(), &state)) {
            Some(action) => println!("    {action:?}"),
            None => break,
        }
    }
}
