"""Constraints that are written wrongly: the error is of SciPy's type, names the constraint and says what to write."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

from jaxopt_lite.api.oracles.constrained import close_constraints
from jaxopt_lite.api.reading.constraint_classes import LinearConstraint, NonlinearConstraint
from jaxopt_lite.api.reading.constraints import read_constraints
from jaxopt_lite.core.layout import parse

X = np.array([0.3, -1.7, 2.5])
LAYOUT = parse(X)[1]


def fun(x):
    return x[:2]


def close(constraints):
    return close_constraints(read_constraints(constraints, LAYOUT), LAYOUT)


def nonlinear(**changed):
    return NonlinearConstraint(**{"fun": fun, "lb": 0.0, "ub": 1.0} | changed)


def of_dict(**changed):
    return {key: value for key, value in ({"type": "ineq", "fun": fun} | changed).items() if value is not ...}


ONE, NO_BOUND = r"one, or one for each row", "-inf or inf where there is no bound"
JAC = r"a callable, None \(autodiff\), or one of 2-point, 3-point, cs"
SHAPE = r"return an array of shape \(2, 3\)"
BAD = {
    "unknown key": (of_dict(func=fun), ValueError, "unknown key 'func'.*'fun'.*Known keys: type, fun, jac, args"),
    "key like no other": (of_dict(zzz=1), ValueError, "unknown key 'zzz'. Known"),
    "no type": (of_dict(type=...), KeyError, "has no 'type'; give 'eq'"),
    "no fun": (of_dict(fun=...), ValueError, "has no 'fun'; give a callable"),
    "type misspelt": (of_dict(type="inequality"), ValueError, "unknown type 'inequality'; give 'eq' for fun"),
    "type of another kind": (of_dict(type=1), TypeError, "type is 1; give the string"),
    "dict: fun not callable": (of_dict(fun=3.0), TypeError, "fun is a float; give a callable"),
    "dict: jac misspelt": (of_dict(jac="2point"), ValueError, f"jac is '2point'; give {JAC}"),
    "fun not callable": (nonlinear(fun="x"), TypeError, "fun is a str; give a callable"),
    "jac is a bool": (nonlinear(jac=True), TypeError, f"jac is a bool; give {JAC}"),
    "jac misspelt": (nonlinear(jac="cs2"), ValueError, f"jac is 'cs2'; give {JAC}"),
    "hess is an array": (nonlinear(hess=np.eye(3)), TypeError, "hess is a ndarray.*autodiff is exact"),
    "hess is a scheme": (nonlinear(hess="2-point"), ValueError, "hess is '2-point'.*leave it out"),
    "crossed sides": (nonlinear(lb=[0.0, 2.0]), ValueError, "lb > ub in row 1, 2.0 > 1.0; no lower bound"),
    "linear: crossed sides": (LinearConstraint(np.eye(3), 1, 0), ValueError, "lb > ub in row 0"),
    "NaN": (nonlinear(ub=np.nan), ValueError, f"ub holds NaN; give numbers, and {NO_BOUND}"),
    "lb is inf": (nonlinear(lb=np.inf, ub=np.inf), ValueError, f"lb holds inf, which no number satisfies.*{NO_BOUND}"),
    "ub is -inf": (LinearConstraint([1, 0, 0], ub=-np.inf), ValueError, "ub holds -inf, which no number"),
    "lb is None": (nonlinear(lb=None), TypeError, f"lb holds None; give numbers, and {NO_BOUND}"),
    "None in ub": (nonlinear(ub=[1.0, None]), TypeError, "ub holds None"),
    "text in lb": (nonlinear(lb=["a", 1.0]), TypeError, "lb holds a str"),
    "complex ub": (nonlinear(ub=jnp.array([1j])), TypeError, "ub holds complex128"),
    "objects in lb": (nonlinear(lb=np.array([None])), TypeError, "lb holds object"),
    "sides of another length": (nonlinear(lb=np.zeros(3)), ValueError, f"lb holds 3 entries for 2 rows; give {ONE}"),
    "linear: sides": (LinearConstraint(np.eye(3), ub=[1, 2]), ValueError, "ub holds 2 entries for 3 rows"),
    "keep_feasible of another length": (
        nonlinear(keep_feasible=[True] * 3),
        ValueError,
        f"keep_feasible holds 3 entries for 2 rows; give {ONE}",
    ),
    "keep_feasible of another kind": (nonlinear(keep_feasible="yes"), TypeError, "keep_feasible is .*give True or False"),
    "columns of A": (LinearConstraint(np.ones((2, 4))), ValueError, r"A has shape \(2, 4\) for x of 3 .* give \(m, 3\)"),
    "A of three axes": (LinearConstraint(np.ones((1, 1, 3))), ValueError, r"A has shape \(1, 1, 3\)"),
    "A is ragged": (LinearConstraint([[1, 2, 3], [1]]), ValueError, "A is no array of numbers"),
    "A of text": (LinearConstraint([["a", "b", "c"]]), ValueError, "A holds <U1; give real numbers"),
    "A is complex": (LinearConstraint(np.full(3, 1j)), ValueError, "A holds complex128; give real numbers"),
    "A holds NaN": (LinearConstraint([1.0, np.nan, 0.0]), ValueError, "A holds NaN or infinity; give finite"),
    "step is negative": (nonlinear(jac="2-point", finite_diff_rel_step=-1), ValueError, "rel_step is -1; give a number > 0"),
    "step of another shape": (nonlinear(jac="cs", finite_diff_rel_step=[1, 1]), ValueError, r"rel_step has shape \(2,\)"),
    "step of text": (nonlinear(jac="cs", finite_diff_rel_step="1"), TypeError, "rel_step holds a str"),
    "jac of another shape": (nonlinear(jac=lambda x: jnp.ones((3, 2))), ValueError, rf"returned shape \(3, 2\).*{SHAPE}"),
    "jac of one row": (nonlinear(jac=lambda x: x), ValueError, rf"jac returned shape \(3,\) for 2 rows.*{SHAPE}"),
    "jac returns nothing": (nonlinear(jac=lambda x: None), TypeError, f"jac returned nothing; {SHAPE}"),
    "jac is complex": (nonlinear(jac=lambda x: jnp.full((2, 3), 1j)), TypeError, f"jac returned dtype complex128; {SHAPE}"),
    "jac raises": (nonlinear(jac=lambda x: x["u"]), (TypeError, ValueError), "jac raised"),
    "hess of another shape": (nonlinear(hess=lambda x, v: v), ValueError, r"hess returned shape \(2,\).*\(3, 3\)"),
    "hess returns nothing": (nonlinear(hess=lambda x, v: None), TypeError, "hess returned nothing; return"),
    "hess takes x alone": (nonlinear(hess=lambda x: jnp.eye(3)), TypeError, "hess raised TypeError"),
    "fun takes more": (of_dict(fun=lambda x, a: x), TypeError, "fun raised TypeError.*missing"),
    "fun takes fewer": (of_dict(args=(1.0, 2.0)), TypeError, "fun raised TypeError.*2 args"),
    "fun is not traceable": (nonlinear(fun=lambda x: float(x[0])), TypeError, "fun cannot be traced by JAX.*jax.numpy"),
    "fun returns nothing": (nonlinear(fun=lambda x: None), TypeError, "fun returned nothing; return a number or an array"),
    "fun returns an empty list": (nonlinear(fun=lambda x: []), TypeError, "fun returned a list"),
    "fun returns no rows": (nonlinear(fun=lambda x: x[:0]), ValueError, "fun returned an empty array; return at least"),
    "fun returns text": (nonlinear(fun=lambda x: ["a"]), TypeError, "fun returned a list"),
    "fun returns integers": (
        nonlinear(fun=lambda x: jnp.array([1, 2])),
        TypeError,
        "fun returned dtype int64 for x of float64",
    ),
    "fun returns float32": (nonlinear(fun=lambda x: x.astype(np.float32)), TypeError, "fun returned dtype float32"),
    "fun is real under cs": (
        nonlinear(fun=jnp.abs, jac="cs"),
        TypeError,
        "fun returned no complex numbers.*give another jac",
    ),
    "fun itself": (fun, TypeError, r"a function is no constraint; give LinearConstraint\(A, lb, ub\), NonlinearConstraint"),
    "bounds": (scipy.optimize.Bounds(0, 1), TypeError, "a Bounds is no constraint.*pass bounds on x as bounds"),
}


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "second of two"])
@pytest.mark.parametrize("wrong", BAD)
def test_what_is_wrong_is_told_with_its_place(wrong, alone):
    given, error, sentence = BAD[wrong]
    name = "the constraint" if alone else "constraint 1"
    with pytest.raises(error, match=f"^['\"]?{name}(: |'s ).*{sentence}"):
        close(given if alone else [of_dict(), given])


@pytest.mark.parametrize("wrong", [3, "eq", X], ids=["number", "text", "array"])
def test_what_is_no_constraint_at_all(wrong):
    with pytest.raises(TypeError, match=r"^constraints is .*; give LinearConstraint"):
        close(wrong)
    with pytest.raises(TypeError, match=r"^constraint 0: a \w+ is no constraint; give LinearConstraint"):
        close([wrong])


def test_a_list_within_a_list_is_no_constraint():
    with pytest.raises(TypeError, match="constraint 1: a list is no constraint"):
        close([of_dict(), [of_dict()]])


@pytest.mark.parametrize("args", [2.0, (2.0,), [1.0, 1.0], None], ids=str)
def test_args_that_are_no_tuple_are_one_argument(args):
    scaled = lambda x, *more: x * sum(more[0] if isinstance(more[0], list) else more) if more else x
    (constraint,) = read_constraints(of_dict(fun=scaled, args=args), LAYOUT)
    closed = close_constraints((constraint,), LAYOUT)
    (out,) = closed.parts.each[0].fun(closed.traced.each[0].fun, jnp.asarray(X), *closed.traced.each[0].args)
    np.testing.assert_allclose(out, X * (1.0 if args is None else 2.0))


@pytest.mark.parametrize("jac", [None, "2-point"])
def test_objects_of_scipy_say_what_they_say(jac):
    """Its default is '2-point', which counts; its default update strategy of the Hessian stands for autodiff."""
    given = scipy.optimize.NonlinearConstraint(fun, 0.0, [0.0, np.inf], **({} if jac else {"jac": None}))
    (constraint,) = read_constraints(given, LAYOUT)
    assert (constraint.scheme, constraint.hess, constraint.place) == (jac, None, None)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray, scipy.sparse.csr_array, scipy.sparse.csr_matrix, np.matrix, list])
def test_a_matrix_of_any_kind(kind):
    rows = [[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]
    (constraint,) = read_constraints(LinearConstraint(kind(rows)), parse(X.astype(np.float32))[1])
    assert constraint.matrix.dtype == np.float32
    assert isinstance(constraint.matrix, np.ndarray | jax.Array)
    np.testing.assert_array_equal(constraint.matrix, np.asarray(rows))


def test_sides_are_judged_in_the_dtype_of_x():
    """They are crossed, or equal, as the program sees them."""
    layout = parse(X.astype(np.float32))[1]
    given = NonlinearConstraint(lambda x: x, [0.1, 0.1, 0.2], [0.1, 0.1 + 1e-12, 0.3])
    assert close_constraints(read_constraints(given, layout), layout).parts.p == 2


def test_rows_of_tracers_among_numbers():
    def lower(traced):
        given = [NonlinearConstraint(fun, [traced, 0], 1), LinearConstraint([[1, 2, 0], [traced, 0, 0.5]], traced)]
        closed = close(given)
        assert closed.parts.p == 0
        return closed.traced.lower, closed.traced.each[1].matrix

    lower_sides, matrix = jax.jit(lower)(0.5)
    np.testing.assert_array_equal(lower_sides, [0.5, 0.0, 0.5, 0.5])
    np.testing.assert_array_equal(matrix, [[1, 2, 0], [0.5, 0, 0.5]])
