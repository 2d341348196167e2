// A node's state, in the two parts that a crash tells apart.
#pragma once

#include "electionlab/core/fields.h"

namespace electionlab {

/// A node's state: a plain value. `disk` survives a crash as far as it was persisted.
template <class P>
struct State {
    typename P::Disk disk;
    typename P::Memory memory;

    EL_FIELDS(State, disk, memory)
};

}  // namespace electionlab
