// phi: how surprising a silence is, as a power of ten, when the gaps between arrivals are normal.
//
// Source: N. Hayashibara, X. Defago, R. Yared, T. Katayama, "The phi Accrual Failure Detector",
//         SRDS 2004, section 4: phi(t) = -log10 P(a gap is longer than t).
// Own code, because the C library's erfc differs in its last bits between platforms: these are made
// from +, -, *, / and sqrt alone (core/exact_math.h) and give the same bits everywhere. Akka puts a
// logistic curve in place of the normal one; that is cheap, and wrong by a factor in the tail.
#pragma once

namespace electionlab {

/// -log10 P(N(0, 1) > z), for any finite z: relative error below 1e-12, however far out.
double phi_of_deviations(double z);

/// The z with phi_of_deviations(z) = phi, for 0 < phi <= 1e6; error below 1e-9.
double deviations_of_phi(double phi);

}  // namespace electionlab
