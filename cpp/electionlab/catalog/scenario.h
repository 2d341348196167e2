// Scenarios: a run as text, with the output it must have. People read them, both test runners run
// them, and the documentation shows them.
//
//     # Why, and where it comes from.
//     cluster bully nodes=3 delay_ms=10 leader_timeout_ms=10000 initial_leader=3
//     crash 3
//     fire 2 leader
//     run for_ms=100
//     tell
//     ----
//     (what `tell` and the others print)
//
// A file holds blocks: comments and directives, a line `----`, the output, a blank line. The
// cluster lives on from block to block. Directives:
//
//     cluster PROTOCOL nodes=N [options, seed=, delay_ms=, loss=, initial_leader=, config={...}]
//     step [COUNT]             so many events (1)
//     run for_ms=T | until_ms=T | leader | agreement | violation   [within_ms=T, 60000]
//     ACTION [NODE] [entries]  any action: crash 3 | partition groups=[[1,2],[3]] | heal | ...
//     deliver KIND A->B        also drop, duplicate, delay (by_ms=): the earliest such message
//     fire NODE TIMER [about=N]        an armed timer expires now
//     command NODE NAME [fields={...}] a client asks a node for something its protocol knows
//     tell [brief]             the rows since the last tell; brief: without sends, writes and views
//     nodes                    role, leader and epoch of each node
//     leaders                  who acts as leader, and whether all live nodes agree
//     count KIND ...           messages of these kinds, sent and delivered
//     violations               broken invariants so far
//     measures NAME ...        some measures
//
// Values are numbers, true, false, words, "text", [lists] and {"key": value}.
#pragma once

#include <string>
#include <string_view>

#include "electionlab/core/value.h"

namespace electionlab {

/// The scenario's text with every output replaced by what the engine prints. Equal to the input
/// when the scenario holds. `InvalidArgument` names the line of a bad directive.
std::string run_scenario(std::string_view text);

/// A value in the form of the directives; `InvalidArgument` when it is none.
Value parse_value(std::string_view text);

}  // namespace electionlab
