// log, exp and the normal quantile from +, -, *, / and sqrt alone.
//
// Those five are exactly rounded by IEEE 754, so these functions give the same bits with every
// compiler, library and optimisation level (contraction into fused operations is switched off in
// the build). The C library's versions differ in the last bit, and a last bit can move an event.
#pragma once

namespace electionlab::exact {

/// Natural logarithm of a positive finite number; error below 1e-14 relative.
double log(double x);

/// e to the power x, for |x| <= 700; error below 1e-14 relative.
double exp(double x);

/// The x with P(N(0, 1) <= x) = p, 0 < p < 1 (Acklam's rational fit, relative error below 1.2e-9).
double normal_quantile(double p);

}  // namespace electionlab::exact
