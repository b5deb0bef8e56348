"""Oracles: what is evaluated at an asked point, from what the user gave.

The default is autodiff, with one trace of the user's function: a gradient is `value_and_grad`, a Hessian and a
Hessian-vector product are the linearization of that, a Jacobian runs forward (as many passes as parameters) or backward
(as many as residuals), whichever is fewer. The user's own `jac`, `hess`, `hessp` take their place where given; SciPy's
finite differences are there for its users (`core/differences.py`): their points are one vmapped evaluation, inside of the
bounds.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.apart import in_parts
from jaxopt_lite.core.dense import dot, matvec, norm
from jaxopt_lite.core.differences import differences
from jaxopt_lite.core.function import Function
from jaxopt_lite.core.protocol import Need, Query

HIGHEST = jax.lax.Precision.HIGHEST
SCHEMES = ("2-point", "3-point", "cs")
SECOND = 2  # the order of the derivatives that certificates take


class Loss(NamedTuple):
    """A measure of residuals: two pure functions of a residual (m,) and the traced part (`Traced.loss`). Static."""

    cost: Callable[[Array, list[Array]], Array]  # (residual, traced) -> ()
    weigh: Callable[[Array, Array, list[Array]], tuple[Array, Array]]  # (residual, jacobian, traced) -> both, weighted


class Traced(NamedTuple):
    """What the functions of an oracle are evaluated with; every leaf may be batched or shared."""

    fun: list[Array]  # captured by fun
    jac: list[Array]
    hess: list[Array]
    hessp: list[Array]
    loss: list[Array]  # captured by the loss, and its scale last
    args: list[Array]
    rel_step: Array | None  # () or (n,): relative step of finite differences; None: the scheme's own
    abs_step: Array | None  # () or (n,): absolute step
    box: tuple[Array, Array] | None = None  # (n,) lower and upper bounds that no finite difference may leave
    more: Any = None  # what `Oracle.more` is evaluated with


class Measured(NamedTuple):
    """A residual at a point, and what the loss makes of it."""

    residual: Array  # (m,) as the user's function gave it
    weighed: Array  # (m,) as the loss sees it
    jacobian: Array  # (m, n) as the loss sees it
    cost: Array  # ()


class Oracle(NamedTuple):
    """Static: which functions there are. All are closed (`core/function.py`) over vectors (n,).

    What is evaluated of them is the method's need (`_needs/`); these are the means.
    """

    needs: Need
    fun: Function  # x -> fun (), or residual (m,); with `paired` also its derivative
    jac: Function | None = None  # x -> gradient (n,), or jacobian (m, n)
    hess: Function | None = None  # x -> (n, n), or (m, n, n) of a residual
    hessp: Function | None = None  # x, p -> (n,)
    paired: bool = False  # fun returns the value and its derivative
    scheme: str | None = None  # finite differences instead of autodiff
    bends: str | None = None  # the same of the gradient, for the second derivatives that a method asks for
    loss: Loss | None = None  # how a residual is measured; None: half its sum of squares
    apart: bool = False  # is it so large that XLA has to be given it in parts? (`core/apart.py`)
    more: Any = None  # further functions, of constraints for one: known to the needs that use them, all but their `size`

    def size(self, order: int) -> int:
        """Equations of a derivative of this order, by and large: each takes about three times what it is taken of."""
        given = (self.fun, self.jac, self.hess, self.hessp, self.more)
        return 3**order * sum(0 if f is None else f.size for f in given)

    def evaluations(self, n: int) -> int:
        """Values of fun that one point takes."""
        if not self.needs.parts:
            return 0
        if self.scheme is None or self.needs.order == 0:
            return 1
        return {"2-point": n + 1, "3-point": 2 * n + 1, "cs": n + 1}[self.scheme]

    def value(self, x: Array, t: Traced) -> Array:
        """fun(x), () or (m,)."""
        return self._called(self.fun, t.fun, x, t)[0]

    def _called(self, function: Function, captured: list[Array], x: Array, t: Traced) -> list[Array]:
        """The values of a function that may have been closed over complex vectors, at a real one."""
        if "cs" not in (self.scheme, self.bends):
            return function(captured, x, *t.args)
        return [jnp.real(v) for v in function(captured, x.astype(complex_like(x.dtype)), *t.args)]

    def with_derivative(self, x: Array, t: Traced) -> tuple[Array, Array]:
        """fun(x) and its gradient (n,) or Jacobian (m, n), by the means that the user chose."""
        if self.paired:
            value, derivative = self._called(self.fun, t.fun, x, t)
            return value, derivative
        if self.jac is not None:
            return self.value(x, t), self._called(self.jac, t.jac, x, t)[0]
        if self.scheme is not None:
            plain = lambda x: self.fun(t.fun, x, *t.args)[0]  # of complex x for 'cs'
            return differences(plain, x, self.scheme, t.rel_step, t.abs_step, t.box)
        return self._autodiff(x, t)

    def measured(self, x: Array, t: Traced) -> Measured:
        """The residual, its Jacobian and its cost."""
        residual, jacobian = self.with_derivative(x, t)
        cost = self.cost(residual, t)
        if self.loss is None:
            return Measured(residual, residual, jacobian, cost)
        return Measured(residual, *self.loss.weigh(residual, jacobian, t.loss), cost)

    def merit(self, x: Array, t: Traced) -> Array:
        """What is minimized, (): fun, or the cost of the residual."""
        value = self.value(x, t)
        return value if value.ndim == 0 else self.cost(value, t)

    def cost(self, residual: Array, t: Traced) -> Array:
        """Half the sum of squares of a residual (m,), or what the loss makes of it."""
        return 0.5 * dot(residual, residual) if self.loss is None else self.loss.cost(residual, t.loss)

    def derivative(self, x: Array, t: Traced) -> Array:
        """The gradient of the merit, in a form that can be differentiated again: never by finite differences."""
        return self._merit_and_derivative(x, t)[1]

    def _merit_and_derivative(self, x: Array, t: Traced) -> tuple[Array, Array]:
        given = self.paired or self.jac is not None
        value, derivative = self.with_derivative(x, t) if given else self._autodiff(x, t)
        if value.ndim == 0:
            return value, derivative
        cost, slope = jax.value_and_grad(lambda r: self.cost(r, t))(value)
        return cost, matvec(derivative.T, slope)

    def hessian_product(self, x: Array, p: Array, t: Traced) -> Array:
        """Hessian times p."""
        if self.hessp is not None:
            return self.hessp(t.hessp, x, p, *t.args)[0]
        if self.hess is not None:
            return jnp.dot(self.hess(t.hess, x, *t.args)[0], p, precision=HIGHEST)
        return jax.jvp(lambda x: self.derivative(x, t), (x,), (p,))[1]

    def hessian_by_steps(self, x: Array, t: Traced) -> Array:
        """Hessian (n, n) by differences of the gradient."""
        assert self.bends is not None
        return differences(self._slope(t), x, self.bends, t.rel_step, t.abs_step, t.box)[1]

    def product_by_steps(self, x: Array, p: Array, t: Traced) -> Array:
        """Hessian times p, by differences of the gradient along p; in a box by the whole Hessian, which stays inside."""
        assert self.bends is not None
        if t.box is not None:
            return jnp.dot(self.hessian_by_steps(x, t), p, precision=HIGHEST)
        size, length = jnp.maximum(1.0, norm(x)), norm(p, 2)
        unit = p * (size / jnp.where(length > 0, length, 1.0))  # one unit of s is as large as x
        slope = self._slope(t)
        widest = lambda step: None if step is None else jnp.max(step)
        absolute = None if t.abs_step is None else jnp.max(t.abs_step) / size
        relative = absolute if absolute is not None else widest(t.rel_step)
        along = lambda s: slope(x.astype(s.dtype) + s[0] * unit.astype(s.dtype))
        _, bend = differences(along, jnp.zeros_like(x[:1]), self.bends, None, relative)
        return bend[:, 0] * (length / size)

    def _slope(self, t: Traced) -> Callable[[Array], Array]:
        """The gradient, of complex x where differences are complex steps."""
        if self.bends != "cs":
            return lambda x: self.with_derivative(x, t)[1]
        if self.paired:
            return lambda z: self.fun(t.fun, z, *t.args)[1]
        jac = self.jac
        if jac is not None:
            return lambda z: jac(t.jac, z, *t.args)[0]
        return jax.grad(lambda z: self.fun(t.fun, z, *t.args)[0], holomorphic=True)

    def second_order(self, x: Array, t: Traced, going: Array | None = None) -> tuple[Array, Array, Callable[[Array], Array]]:
        """The merit, its gradient, and the product of the Hessian with columns (n, k); never by finite differences.

        Of an oracle that is taken apart all are zero where `going` is false in all lanes.
        """
        if self.apart and going is not None:
            fun, grad = in_parts(self._merit_and_derivative, going)(x, t)
            product = in_parts(self.hessian_product, going)
            return fun, grad, jax.vmap(lambda p: product(x, p, t), in_axes=1, out_axes=1)
        if self.hess is not None:
            hess = self.hess(t.hess, x, *t.args)[0]
            return *self._merit_and_derivative(x, t), lambda V: jnp.dot(hess, V, precision=HIGHEST)
        if self.hessp is not None:
            each = jax.vmap(lambda p: self.hessian_product(x, p, t), in_axes=1, out_axes=1)
            return *self._merit_and_derivative(x, t), each
        (fun, grad), tangent = jax.linearize(lambda x: self._merit_and_derivative(x, t), x)
        return fun, grad, jax.vmap(lambda p: tangent(p)[1], in_axes=1, out_axes=1)

    def evaluate(self, query: Query, t: Traced, going: Array | None = None) -> Any:
        """The answer to a query; the call site of everything that the user gave. No lane `going`: it may be anything."""
        if self.apart and going is not None:
            return in_parts(self.evaluate, going)(query, t)
        one = lambda query: self.needs.answer(self, query, t)
        return one(query) if query.x.ndim == 1 else jax.vmap(one)(query)

    def bend(self, x: Array, v: Array, t: Traced) -> Array:
        """The second derivative of the residual along v (n,), (m,)."""
        if self.hess is not None:
            second = self.hess(t.hess, x, *t.args)[0]
            return jnp.dot(jnp.dot(second, v, precision=HIGHEST), v, precision=HIGHEST)
        along = lambda x: jax.jvp(lambda x: self.value(x, t), (x,), (v,))[1]
        return jax.jvp(along, (x,), (v,))[1]

    def _autodiff(self, x: Array, t: Traced) -> tuple[Array, Array]:
        value = lambda x: self.value(x, t)
        shape = jax.eval_shape(value, x).shape
        if not shape:
            return jax.value_and_grad(value)(x)
        return value_and_jacobian(value, x, shape[0])


def value_and_jacobian(fun: Callable[[Array], Array], x: Array, m: int) -> tuple[Array, Array]:
    """fun(x), (m,), and its Jacobian (m, n), by autodiff: forward or backward, whichever takes fewer passes."""
    n = x.shape[0]
    if n <= m:
        value, tangent = jax.linearize(fun, x)
        return value, jax.vmap(tangent, out_axes=1)(jnp.eye(n, dtype=x.dtype))
    value, pullback = jax.vjp(fun, x)
    return value, jax.vmap(lambda e: pullback(e)[0])(jnp.eye(m, dtype=value.dtype))


def complex_like(dtype: jnp.dtype) -> jnp.dtype:
    """The complex dtype of a real one."""
    return jnp.dtype("complex128") if jnp.dtype(dtype).itemsize == 8 else jnp.dtype("complex64")
