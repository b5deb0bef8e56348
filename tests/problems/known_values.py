"""What `test_problems.py` holds the library against, found apart from it: values at the starts, and local minimizers.

A wrong coefficient may leave a minimizer of value zero where it is; the value at the start then tells.
"""

import numpy as np

# A point for each value in `minima`. Those of Bard and of Kowalik and Osborne lie at infinity and theirs are points far
# out: for the first x1 is the mean of y, for the second x2, x3/x1 and x4/x1 are fitted to y.
LOCAL_POINTS = {
    "freudenstein_roth": [(11.412778986902094, -0.8968052532744766)],
    "bard": [(12.61 / 15.0, -1e9, -1e9)],
    "kowalik_osborne": [(1e9, -14.0758834, -45.25719172e9, -28.23149696e9)],
    "biggs_exp6": [(1.711415994, 17.683198181, 1.163143661, 5.186561552, 1.711415994, 1.163143661)],
    "trigonometric_10": [
        (
            *(0.0551509040, 0.0568406168, 0.0587640018, 0.0609906087, 0.0636262137),
            *(0.0668431795, 0.2081615186, 0.1643630959, 0.0850069557, 0.0914314507),
        )
    ],
    "brown_almost_linear_5": [(0.0, 0.0, 0.0, 0.0, 6.0)],
    "rosenbrock_4": [(-0.77565922657, 0.61309336549, 0.38206284634, 0.14597201855)],
    "rosenbrock_10": [
        (
            *(-0.99326337286, 0.99660603944, 0.99824061139, 0.99898843377, 0.99922615344),
            *(0.99907364816, 0.99845417740, 0.99705625166, 0.99417937523, 0.98839263013),
        )
    ],
    "three_hump_camel": [(1.74755234583, -0.87377617291)],
    "styblinski_tang": [(-2.90353402778, 2.74680277099), (2.74680277099, 2.74680277099)],
}
# |r(x0)| to the seven digits that MINPACK's driver of lmder1 prints (cminpack, examples/ref/lmddrv.ref).
MINPACK_START_NORMS = {
    "rosenbrock": 4.91935,
    "freudenstein_roth": 20.0125,
    "jennrich_sampson": 64.58565,
    "helical_valley": 50.0,
    "bard": 6.456136,
    "meyer": 41153.47,
    "powell_singular": 14.66288,
    "kowalik_osborne": 0.07289151,
    "brown_dennis": 2815.438,
    "osborne_1": 0.937564,
    "osborne_2": 1.446865,
    "watson_6": 5.477226,
    "chebyquad_8": 0.1965139,
}
# f(x0) by hand: what pins coefficients that leave the minimizer where it is.
START_VALUES = {
    "powell_badly_scaled": 1.0 + (np.exp(-1.0) - 1e-4) ** 2,
    "brown_badly_scaled": 999999.0**2 + 0.999998**2 + 1.0,
    "beale": 1.5**2 + 2.25**2 + 2.625**2,
    "box_3d": float(sum((1.0 + 19.0 * np.exp(-i) - 20.0 * np.exp(-i / 10)) ** 2 for i in range(1, 11))),
    "wood": 19192.0,
    "extended_rosenbrock_6": 3 * 24.2,
    "extended_powell_singular_8": 2 * 215.0,
    "penalty_1_4": 1e-5 * 14.0 + 29.75**2,
    "variably_dimensioned_6": 91.0 / 36.0 + (91.0 / 6.0) ** 2 + (91.0 / 6.0) ** 4,
    "brown_almost_linear_5": 36.0 + (31.0 / 32.0) ** 2,
    "broyden_tridiagonal_8": 4.0 + 6.0 + 9.0,
    "broyden_banded_8": 8 * 36.0,
    "linear_full_rank_5": 5 * 1.25**2 + 3 * 2.25**2,
    "linear_rank_1_5": float(sum((15 * i - 1) ** 2 for i in range(1, 9))),
    "linear_rank_1_zeros_5": 2.0 + sum((9 * i - 1) ** 2 for i in range(1, 7)),
    "rosenbrock_4": 24.2 + 100 * 2.2**2 + 24.2,
    "quartics_4": 2.0**4 * 10,
    "logistic_regression_4": np.log(2.0),
    "poisson_6": 6.0,
    "himmelblau": 170.0,
    "booth": 74.0,
    "matyas": 16.04,
    "rastrigin": 22.33,
    "ackley": 20.0 + np.e - 20.0 * np.exp(-0.2 * np.sqrt(1.25)) - np.exp(-1.0),
    "three_hump_camel": 13.0 / 15.0,
    "styblinski_tang": -39.0,
}
AT_INFINITY = {"bard", "kowalik_osborne"}
