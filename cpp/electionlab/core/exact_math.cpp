#include "electionlab/core/exact_math.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace electionlab::exact {
namespace {

constexpr double ln2_high = 6.93147180369123816490e-01;  // the leading bits: k * ln2_high is exact
constexpr double ln2_low = 1.90821492927058770002e-10;
constexpr double sqrt_half = 0.70710678118654752440;

}  // namespace

double log(double x) {
    // x = m * 2^k with m in [sqrt(1/2), sqrt(2)); log m = 2 artanh((m - 1) / (m + 1)).
    const auto bits = std::bit_cast<std::uint64_t>(x);
    int k = static_cast<int>(bits >> 52) - 1022;
    double m = std::bit_cast<double>((bits & 0x000fffffffffffffULL) | 0x3fe0000000000000ULL);
    if (m < sqrt_half) {
        m *= 2;
        --k;
    }
    const double t = (m - 1) / (m + 1);
    const double t2 = t * t;
    double sum = 0;
    for (int n = 23; n >= 1; n -= 2) {
        sum = sum * t2 + 1.0 / n;
    }
    return k * ln2_high + (k * ln2_low + 2 * t * sum);
}

double exp(double x) {
    // x = k ln 2 + r with |r| <= ln 2 / 2; the Taylor sum of r converges in 18 terms.
    const double scaled = x * 1.44269504088896340736;
    const auto k = static_cast<std::int64_t>(scaled + (scaled < 0 ? -0.5 : 0.5));
    const double r = (x - static_cast<double>(k) * ln2_high) - static_cast<double>(k) * ln2_low;
    double sum = 1;
    for (int n = 18; n >= 1; --n) {
        sum = 1 + sum * r / n;
    }
    return sum * std::bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52);
}

double normal_quantile(double p) {
    // P. J. Acklam's piecewise rational approximation (published coefficients, 2003).
    constexpr double a[] = {-3.969683028665376e+01, 2.209460984245205e+02, -2.759285104469687e+02,
                            1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
    constexpr double b[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
                            6.680131188771972e+01, -1.328068155288572e+01};
    constexpr double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                            -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
    constexpr double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                            3.754408661907416e+00};
    constexpr double tail = 0.02425;
    if (p < tail || p > 1 - tail) {
        const double q = std::sqrt(-2 * log(p < tail ? p : 1 - p));
        const double x = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
                         ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
        return p < tail ? x : -x;
    }
    const double q = p - 0.5;
    const double r = q * q;
    return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
           (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

}  // namespace electionlab::exact
