#include "electionlab/detectors/phi.h"

#include <cmath>

#include "electionlab/core/exact_math.h"

namespace electionlab {
namespace {

constexpr double ln_10 = 2.30258509299404568402;
constexpr double ln_sqrt_2_pi = 0.91893853320467274178;
constexpr double inverse_sqrt_2_pi = 0.39894228040143267794;

// P(Z > z) / density(z) for z >= 3: the continued fraction 1/(z + 1/(z + 2/(z + 3/(z + ...)))).
double mills_ratio(double z) {
    double tail = z;
    for (int k = 120; k >= 1; --k) {
        tail = z + k / tail;
    }
    return 1 / tail;
}

// P(Z > z) for |z| < 3: 1/2 - density(z) (z + z^3/3 + z^5/15 + ...), whose terms have one sign.
double central_tail(double z) {
    double term = z, sum = z;
    for (int k = 3; k <= 121; k += 2) {
        term *= z * z / k;
        sum += term;
    }
    return 0.5 - inverse_sqrt_2_pi * exact::exp(-z * z / 2) * sum;
}

// log(1 - p) for 0 <= p < 0.2, exact for small p as well.
double log_of_rest(double p) {
    const double t = p / (2 - p);  // log((1 - t) / (1 + t)) = -2 (t + t^3/3 + t^5/5 + ...)
    double sum = 0;
    for (int k = 19; k >= 1; k -= 2) {
        sum = sum * (t * t) + 1.0 / k;
    }
    return -2 * t * sum;
}

}  // namespace

double phi_of_deviations(double z) {
    if (z >= 3) {  // by its logarithm: the probability itself would vanish beyond z = 38
        return (z * z / 2 + ln_sqrt_2_pi - exact::log(mills_ratio(z))) / ln_10;
    }
    if (z >= -1) {
        return -exact::log(central_tail(z)) / ln_10;
    }
    if (z > -3) {
        return -log_of_rest(central_tail(-z)) / ln_10;
    }
    const double x = -z;
    // Below the smallest double there is nothing left to tell.
    return x > 37 ? 0 : -log_of_rest(inverse_sqrt_2_pi * exact::exp(-x * x / 2) * mills_ratio(x)) / ln_10;
}

double deviations_of_phi(double phi) {
    double low = -37, high = 2200;  // phi(2200) is above 1e6
    for (int step = 0; step < 60; ++step) {
        const double middle = low + (high - low) / 2;
        (phi_of_deviations(middle) < phi ? low : high) = middle;
    }
    return high;
}

}  // namespace electionlab
