"""Every mutation may be repeated under a key, but for those whose inputs are secrets, of which no hash is kept (API-2)."""

from __future__ import annotations

from graphql import GraphQLInputObjectType, get_named_type

from resolvers.root import planner

KEY = "idempotencyKey"
# They begin, prove or end a sign-in: a repeat finds the session begun, the code spent or the link used.
ABOUT_CREDENTIALS = {
    *("signIn", "signInVerify", "sessionRefresh", "signOut", "signOutOthers"),
    *("passwordChange", "passwordReset", "passwordResetRequest"),
    *("totpEnrollStart", "totpEnrollConfirm", "totpDisable", "recoveryCodesRegenerate"),
}


def test_every_other_mutation_takes_a_key() -> None:
    assert planner.schema.mutation_type is not None
    without = set()
    for name, field in planner.schema.mutation_type.fields.items():
        given = [get_named_type(argument.type) for argument in field.args.values()]
        if not any(isinstance(type_, GraphQLInputObjectType) and KEY in type_.fields for type_ in given):
            without.add(name)
    assert without == ABOUT_CREDENTIALS
