"""Law 11: a wrong call raises at trace time, and the sentence names the argument and what is wanted."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import minimize, minimize_scalar, root_scalar, show_options, stepper

X0 = np.zeros(3)
VALUE = ValueError
TYPE = TypeError


def good(x):
    return jnp.sum((x - 1.0) ** 2)


def call(**changes):
    """`minimize` with some arguments changed."""
    arguments = {"fun": good, "x0": X0} | changes
    return lambda: minimize(**arguments)


def scalar(**changes):
    """`minimize_scalar` with some arguments changed."""
    arguments = {"fun": good, "bounds": (0.0, 2.0)} | changes
    return lambda: minimize_scalar(**arguments)


def bracket(points):
    """`minimize_scalar` from a bracket."""
    return lambda: minimize_scalar(good, bracket=points)


def rooted(**changes):
    """`root_scalar` with some arguments changed."""
    arguments = {"f": lambda x: x - 1.0, "bracket": (0.0, 2.0)} | changes
    return lambda: root_scalar(**arguments)


def option(**given):
    return call(options=given)


CALLS = {
    # name: (call, exception, words that the sentence must hold)
    "unknown method": (call(method="BGFS"), VALUE, "method 'BGFS'.*Did you mean 'BFGS'.*Known methods.*BFGS"),
    "method is a number": (call(method=3), TYPE, "method is 3.*BFGS"),
    "unknown option": (option(gtoll=1.0), VALUE, "option 'gtoll'.*Did you mean 'gtol'.*maxiter"),
    "options is a string": (call(options="gtol"), (VALUE, TYPE), "options"),
    "options is a list": (call(options=[1]), (VALUE, TYPE), "options"),
    "x0 is a string": (call(x0="abc"), TYPE, "x0.*str.*floats"),
    "x0 is None": (call(x0=None), (VALUE, TYPE), "x0.*floats"),
    "x0 is a bool": (call(x0=True), TYPE, "x0.*bool.*floats"),
    "x0 holds bools": (call(x0=np.array([True, False])), TYPE, "x0.*bool.*floats"),
    "x0 is an object": (call(x0=object()), TYPE, "x0.*object.*floats"),
    "x0 is complex": (call(x0=np.zeros(2, complex)), TYPE, "x0 is complex.*real"),
    "x0 is half": (call(x0=np.zeros(2, np.float16)), TYPE, "x0.*float16.*float32"),
    "x0 is empty": (call(x0=np.zeros(0)), VALUE, "x0 is empty.*at least one"),
    "x0 is an empty list": (call(x0=[]), VALUE, "x0 holds no numbers"),
    "x0 is ragged": (call(x0=[[1.0, 2.0], [3.0]]), VALUE, "x0.*ragged.*one length"),
    "x0 holds None": (call(x0=np.array([None, 1.0])), TYPE, "x0.*object.*floats"),
    "x0 holds strings": (call(x0=["a", "b"]), TYPE, "x0.*str.*floats"),
    "fun is a number": (call(fun=3.0), TYPE, "fun.*float.*callable"),
    "fun is not scalar": (call(fun=lambda x: x**2), VALUE, r"fun returned.*\(3,\).*scalar"),
    "fun returns None": (call(fun=lambda x: None), TYPE, "fun returned.*None.*scalar"),
    "fun returns a string": (call(fun=lambda x: "low"), TYPE, "fun returned.*str.*scalar"),
    "fun returns a dict": (call(fun=lambda x: {"fun": good(x)}), TYPE, "fun returned.*dict.*scalar"),
    "fun returns a pair": (call(fun=lambda x: (good(x), x)), TYPE, "fun returned.*tuple.*jac=True"),
    "fun returns an integer": (call(fun=lambda x: jnp.sum(x).astype(int)), TYPE, "fun returned dtype int64.*float64"),
    "fun returns a bool": (call(fun=lambda x: jnp.sum(x) > 0), TYPE, "fun returned dtype bool.*float64"),
    "fun returns a complex": (
        call(fun=lambda x: jnp.sum(x).astype(complex)),
        TYPE,
        "fun returned dtype complex128.*float64",
    ),
    "fun narrows": (call(fun=lambda x: good(x).astype(jnp.float32)), TYPE, "fun returned dtype float32.*float64"),
    "fun widens": (
        call(fun=lambda x: good(x.astype(jnp.float64)), x0=X0.astype(np.float32)),
        TYPE,
        "fun returned dtype float64.*float32",
    ),
    "fun raises": (call(fun=lambda x: 1 // 0), VALUE, "fun raised ZeroDivisionError.*shape.*division"),
    "fun indexes outside": (call(fun=lambda x: {}["key"]), (VALUE, TYPE, KeyError), "fun raised KeyError"),
    "fun wants more args": (call(fun=lambda x, a: good(x)), TYPE, "fun raised TypeError.*'a'"),
    "fun wants fewer args": (call(args=(1.0,)), TYPE, "fun raised TypeError.*1 args"),
    "fun uses numpy": (call(fun=lambda x: np.exp(x).sum()), TYPE, "fun cannot be traced.*jax.numpy.*stepper"),
    "fun converts": (call(fun=lambda x: float(x[0]) ** 2), TYPE, "fun cannot be traced.*stepper"),
    "fun branches": (call(fun=lambda x: x[0] if x[0] > 0 else -x[0]), TYPE, "fun cannot be traced.*stepper"),
    "fun uses math": (call(fun=lambda x: math.exp(x[0])), TYPE, "fun cannot be traced.*stepper"),
    "fun takes items": (call(fun=lambda x: x[0].item()), TYPE, "fun cannot be traced.*stepper"),
    "jac is a number": (call(jac=3), TYPE, "jac is a int.*callable"),
    "jac is an unknown scheme": (call(jac="4-point"), VALUE, "jac is '4-point'.*2-point"),
    "jac of the wrong shape": (call(jac=lambda x: x[:2]), VALUE, r"jac returned.*\(2,\).*\(3,\)"),
    "jac is scalar": (call(jac=lambda x: x[0]), VALUE, r"jac returned.*\(\).*\(3,\)"),
    "jac of another structure": (call(jac=lambda x: {"x": x}), VALUE, "jac returned.*dict"),
    "jac of integers": (call(jac=lambda x: jnp.zeros(3, int)), TYPE, "jac returned dtype int64"),
    "jac narrows": (call(jac=lambda x: (2 * (x - 1)).astype(jnp.float32)), TYPE, "jac returned dtype float32"),
    "jac raises": (call(jac=lambda x: 1 // 0), VALUE, "jac raised ZeroDivisionError"),
    "jac uses numpy": (call(jac=lambda x: np.exp(x)), TYPE, "jac cannot be traced"),
    "jac=True without a gradient": (call(jac=True), VALUE, "fun returned.*jac=True.*gradient"),
    "jac=True of the wrong shape": (call(fun=lambda x: (good(x), x[:1]), jac=True), VALUE, r"gradient.*\(1,\).*\(3,\)"),
    "hess is not used": (call(hess=lambda x: jnp.eye(3)), VALUE, "hess.*BFGS"),
    "hessp is not used": (call(hessp=lambda x, p: p), VALUE, "hessp.*BFGS"),
    "bounds for BFGS": (call(method="BFGS", bounds=[(0, 1)] * 3), VALUE, "bounds.*BFGS.*cannot"),
    "bounds of the wrong length": (call(bounds=[(0, 1)] * 2), VALUE, "bounds hold 2 entries for x0 of 3"),
    "bounds are crossed": (call(bounds=[(0, 1), (1, 0), (0, 1)]), VALUE, "bounds are crossed: 1.0 > 0.0"),
    "bounds hold NaN": (call(bounds=[(0, np.nan)] * 3), VALUE, "bounds hold NaN"),
    "maxfun and maxfev": (
        call(method="L-BFGS-B", options={"maxfun": 3, "maxfev": 3}),
        VALUE,
        "maxfev and maxfun are the same",
    ),
    "maxcor is zero": (call(method="L-BFGS-B", options={"maxcor": 0}), VALUE, "maxcor.*0.*integer >= 1"),
    "constraints for BFGS": (call(method="BFGS", constraints=({"type": "eq", "fun": good},)), VALUE, "constraints.*BFGS"),
    "hess for SLSQP": (call(constraints={"type": "eq", "fun": good}, hess=good), VALUE, "hess is given.*'SLSQP'"),
    "negative tol": (call(tol=-1.0), VALUE, "tol.*-1.0.*>= 0"),
    "tol is not a number": (call(tol=np.nan), VALUE, "tol.*nan.*>= 0"),
    "tol is a string": (call(tol="tight"), (VALUE, TYPE), "tol.*'tight'.*>= 0"),
    "tol is a list": (call(tol=[1e-3]), (VALUE, TYPE), "tol.*>= 0"),
    "tol is a vector": (call(tol=np.ones(3)), (VALUE, TYPE), "tol.*>= 0"),
    "tol is complex": (call(tol=1j), (VALUE, TYPE), "tol.*1j.*>= 0"),
    "negative gtol": (option(gtol=-1e-5), VALUE, "gtol.*-1e-05.*>= 0"),
    "negative xrtol": (option(xrtol=-1.0), VALUE, "xrtol.*-1.0.*>= 0"),
    "c1 above 1": (option(c1=2.0), VALUE, "c1.*2.0.*between 0 and 1"),
    "c1 above c2": (option(c1=0.9, c2=0.1), VALUE, "c1.*c2"),
    "negative maxiter": (option(maxiter=-1), VALUE, "maxiter.*-1.*integer >= 0"),
    "broken maxiter": (option(maxiter=2.5), (VALUE, TYPE), "maxiter.*2.5.*integer"),
    "maxiter is a string": (option(maxiter="many"), (VALUE, TYPE), "maxiter.*'many'.*integer"),
    "negative maxfev": (option(maxfev=-3), VALUE, "maxfev.*-3.*integer >= 0"),
    "negative lanes": (option(lanes=-1), VALUE, "lanes.*-1.*integer"),
    "lanes is a float": (option(lanes=2.0), (VALUE, TYPE), "lanes.*2.0.*integer"),
    "no turns": (option(turns_per_refill=0), VALUE, "turns_per_refill.*0.*integer >= 1"),
    "norm is a string": (option(norm="two"), (VALUE, TYPE), "norm.*'two'"),
    "norm is an array": (option(norm=np.ones(2)), (VALUE, TYPE), "norm"),
    "hess_inv0 of the wrong shape": (option(hess_inv0=np.eye(2)), VALUE, r"hess_inv0.*\(2, 2\).*n = 3"),
    "hess_inv0 is negative": (option(hess_inv0=-np.eye(3)), VALUE, "hess_inv0.*positive definite"),
    "hess_inv0 is not a number": (option(hess_inv0=np.full((3, 3), np.nan)), VALUE, "hess_inv0.*positive definite"),
    "scalar: unknown method": (scalar(method="bouned"), VALUE, "method 'bouned'.*Did you mean 'bounded'"),
    "scalar: method without bounds": (lambda: minimize_scalar(good, method="bounded"), VALUE, "bounds are not given"),
    "scalar: three bounds": (scalar(bounds=(0, 1, 2)), VALUE, r"bounds is \(0, 1, 2\).*two"),
    "scalar: one bound": (scalar(bounds=3.0), VALUE, "bounds is 3.0.*two"),
    "scalar: bounds hold None": (scalar(bounds=(None, 1.0)), (VALUE, TYPE), "bounds.*None.*scalars"),
    "scalar: bounds hold lists": (scalar(bounds=([0.0], [1.0])), (VALUE, TYPE), "bounds.*scalars"),
    "scalar: bounds hold strings": (scalar(bounds=("a", "b")), (VALUE, TYPE), "bounds.*scalars"),
    "scalar: bounds hold vectors": (scalar(bounds=(np.zeros(2), np.ones(2))), (VALUE, TYPE), "bounds.*scalars"),
    "scalar: crossed bounds": (scalar(bounds=(1.0, 0.0)), VALUE, "bounds are crossed.*1.0 > 0.0"),
    "scalar: infinite bounds": (scalar(bounds=(0.0, np.inf)), VALUE, "bounds.*inf.*finite"),
    "scalar: NaN bounds": (scalar(bounds=(0.0, np.nan)), VALUE, "bounds.*nan.*finite"),
    "scalar: complex bounds": (scalar(bounds=(0.0, 1j)), (VALUE, TYPE), "bounds.*real"),
    "scalar: half bounds": (scalar(bounds=(np.float16(0), np.float16(1))), TYPE, "bounds.*float16"),
    "scalar: bounds of two dtypes": (scalar(bounds=(np.float32(0), np.float64(1))), TYPE, "bounds.*float32.*float64"),
    "scalar: bracket for bounded": (scalar(bracket=(0.0, 1.0)), VALUE, "bracket is given.*'bounded'.*'brent', 'golden'"),
    "scalar: bounds for brent": (scalar(method="brent"), VALUE, "bounds are given.*'brent'.*'bounded'"),
    "scalar: bounds for golden": (scalar(method="golden"), VALUE, "bounds are given.*'golden'.*'bounded'"),
    "scalar: one point": (bracket(1.0), VALUE, r"bracket is 1.0.*two or three"),
    "scalar: bracket of one": (bracket((1.0,)), VALUE, "bracket has 1 points.*two.*three"),
    "scalar: bracket of four": (bracket((1.0, 2.0, 3.0, 4.0)), VALUE, "bracket has 4 points.*two.*three"),
    "scalar: equal points": (bracket((1.0, 1.0)), VALUE, "bracket is.*a != b"),
    "scalar: bracket without order": (bracket((0.0, 2.0, 1.0)), VALUE, "bracket is.*a < b < c"),
    "scalar: bracket with equal points": (bracket((0.0, 1.0, 1.0)), VALUE, "bracket is.*a < b < c"),
    "scalar: infinite bracket": (bracket((0.0, np.inf)), VALUE, "bracket is.*inf.*finite"),
    "scalar: NaN bracket": (bracket((np.nan, 0.0, 1.0)), VALUE, "bracket is.*nan.*finite"),
    "scalar: bracket of vectors": (bracket((np.zeros(2), np.ones(2))), VALUE, "bracket is.*scalars"),
    "scalar: bracket of strings": (bracket("ab"), VALUE, "bracket is.*scalars"),
    "scalar: half bracket": (bracket((np.float16(0), np.float16(1))), TYPE, "bracket.*float16"),
    "scalar: bracket of two dtypes": (bracket((np.float32(0), np.float64(1))), TYPE, "bracket.*float32.*float64"),
    "scalar: brent: fun is not scalar": (
        lambda: minimize_scalar(lambda x: jnp.stack([x, x])),
        VALUE,
        r"fun returned.*\(2,\).*scalar",
    ),
    "scalar: negative xtol": (lambda: minimize_scalar(good, options={"xtol": -1.0}), VALUE, "xtol.*-1.0.*>= 0"),
    "scalar: xatol for brent": (
        lambda: minimize_scalar(good, options={"xatol": 1.0}),
        VALUE,
        "option 'xatol'.*'brent'.*Did you mean 'xtol'",
    ),
    "scalar: fun is not scalar": (scalar(fun=lambda x: jnp.stack([x, x])), VALUE, r"fun returned.*\(2,\).*scalar"),
    "scalar: negative xatol": (scalar(options={"xatol": -1.0}), VALUE, "xatol.*-1.0.*>= 0"),
    "scalar: unknown option": (scalar(options={"xtol": 1.0}), VALUE, "option 'xtol'.*Did you mean 'xatol'"),
    "stepper: unknown method": (lambda: stepper("BGFS"), VALUE, "method 'BGFS'.*Did you mean 'BFGS'"),
    "stepper: unknown option": (lambda: stepper("BFGS", options={"a": 1}).init(X0), VALUE, "option 'a'"),
    "stepper: no bounds": (lambda: stepper("bounded"), VALUE, "bounds are not given"),
    "stepper: bounds for brent": (lambda: stepper("brent", bounds=(0.0, 1.0)), VALUE, "bounds are given.*'bounded'"),
    "stepper: bracket for BFGS": (lambda: stepper("BFGS", bracket=(0.0, 1.0)), VALUE, "bracket.*'BFGS'.*leave"),
    "stepper: no start": (lambda: stepper("BFGS").init(), VALUE, "x0 is not given"),
    "show_options: unknown solver": (lambda: show_options("minimise"), VALUE, "solver 'minimise'.*minimize"),
    "root: neither bracket nor start": (rooted(bracket=None), VALUE, "neither bracket nor x0.*give"),
    "root: no bracket": (rooted(bracket=None, x0=0.0, method="brentq"), VALUE, "bracket is not given.*'brentq'.*give"),
    "root: no start": (rooted(bracket=None, method="newton"), VALUE, "x0 is not given.*'newton'"),
    "root: a bracket for secant": (rooted(x0=0.0, method="secant"), VALUE, "bracket is given.*'secant'.*leave it out"),
    "root: three ends": (rooted(bracket=(0.0, 1.0, 2.0)), VALUE, "bracket is.*two numbers"),
    "root: one end": (rooted(bracket=1.0), VALUE, "bracket is 1.0.*two numbers"),
    "root: equal ends": (rooted(bracket=(1.0, 1.0)), VALUE, "bracket is.*different finite"),
    "root: infinite ends": (rooted(bracket=(0.0, np.inf)), VALUE, "bracket is.*different finite"),
    "root: ends that are not numbers": (rooted(bracket=("0", "1")), TYPE, "bracket holds a str"),
    "root: ends of two dtypes": (rooted(bracket=(np.float32(0.0), np.float64(2.0))), TYPE, "dtypes float32 and float64"),
    "root: brackets of a batch": (rooted(bracket=(np.zeros(3), np.ones(3))), VALUE, r"bracket has shape \(3,\).*vmap"),
    "root: starts of a batch": (rooted(bracket=None, x0=np.zeros(3)), VALUE, r"x0 has shape \(3,\).*vmap"),
    "root: a complex start": (rooted(bracket=None, x0=1j), TYPE, "x0 holds a complex.*real"),
    "root: unknown method": (rooted(method="brent"), VALUE, "unknown method 'brent'.*Did you mean 'brentq'"),
    "root: unknown option": (rooted(options={"xtoll": 1.0}), VALUE, "option 'xtoll'.*Did you mean 'xtol'"),
    "root: negative xtol": (rooted(xtol=-1.0), VALUE, "xtol.*-1.0.*>= 0"),
    "root: broken k": (rooted(method="toms748", options={"k": 0}), VALUE, "'k' is 0.*>= 1"),
    "root: f is not scalar": (rooted(f=lambda x: jnp.stack([x, x])), VALUE, r"f returned.*\(2,\).*scalar"),
    "root: f is no callable": (rooted(f=3.0), TYPE, "f is a float.*callable"),
    "root: f uses numpy": (rooted(f=lambda x: np.exp(x) - 1), TYPE, "f cannot be traced"),
    "root: fprime is a number": (rooted(bracket=None, x0=0.0, fprime=3.0), TYPE, "fprime is a float.*callable"),
    "root: no pair": (rooted(bracket=None, x0=0.0, fprime=True), VALUE, r"f returned.*\(f, f'\)"),
    "root: no triple": (rooted(bracket=None, x0=0.0, fprime2=True), VALUE, r"f returned.*\(f, f', f''\)"),
    "root: stepper without a bracket": (lambda: stepper("ridder"), VALUE, "bounds are not given.*'ridder'.*bracket"),
}

by_name = pytest.mark.parametrize("name", CALLS)


@by_name
def test_wrong_call_raises_the_sentence(name):
    wrong, exception, words = CALLS[name]
    with pytest.raises(exception, match=f"(?s){words}"):
        wrong()


@pytest.mark.parametrize("name", [name for name in CALLS if not name.startswith(("stepper", "show"))])
def test_wrong_call_inside_jit_raises_the_same_sentence(name):
    wrong, exception, words = CALLS[name]
    with pytest.raises(exception, match=f"(?s){words}"):
        jax.jit(lambda unused: wrong().x)(1.0)


IN_BATCH = {
    "fun is not scalar": (lambda x0: minimize(lambda x: x**2, x0), VALUE, r"fun returned.*\(3,\).*scalar"),
    "jac of the wrong shape": (lambda x0: minimize(good, x0, jac=lambda x: x[:2]), VALUE, r"jac returned.*\(2,\).*\(3,\)"),
    "unknown option": (lambda x0: minimize(good, x0, options={"a": 1}), VALUE, "option 'a'"),
    "fun uses numpy": (lambda x0: minimize(lambda x: np.exp(x).sum(), x0), TYPE, "fun cannot be traced"),
    "static option is batched": (lambda x0: minimize(good, X0, options={"norm": x0[0]}), TYPE, "norm.*static"),
    "tol is a batch of vectors": (lambda x0: minimize(good, X0, tol=x0), (VALUE, TYPE), "tol.*>= 0"),
    "bounds are a batch of vectors": (lambda x0: minimize_scalar(good, bounds=(x0, x0)), (VALUE, TYPE), "bounds.*scalars"),
}


@pytest.mark.parametrize("outer", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("name", IN_BATCH)
def test_wrong_call_inside_vmap_raises_the_sentence(name, outer):
    wrong, exception, words = IN_BATCH[name]
    with pytest.raises(exception, match=f"(?s){words}"):
        outer(jax.vmap(lambda x0: wrong(x0).x))(np.zeros((2, 3)))


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (0.0, np.nan), (-np.inf, 1.0)], ids=str)
def test_bounds_that_only_the_run_knows_are_a_status(bounds):
    """Traced numbers cannot raise: that lane says bad input, in its status."""
    lower, upper = np.array([bounds[0], 0.0]), np.array([bounds[1], 2.0])
    res = jax.vmap(lambda a, b: minimize_scalar(good, bounds=(a, b)))(lower, upper)
    np.testing.assert_array_equal(res.status, [7, 0])
    np.testing.assert_array_equal(res.success, [False, True])


def test_the_original_error_is_the_cause():
    with pytest.raises(ValueError, match="fun raised") as caught:
        minimize(lambda x: 1 // 0, X0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_error_leaves_nothing_behind():
    """The same function called rightly after a wrong call."""
    with pytest.raises(ValueError, match="gtoll"):
        minimize(good, X0, options={"gtoll": 1})
    assert minimize(good, X0).success
