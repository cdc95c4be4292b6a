"""Where notifications find the e-mail addresses of people."""

from __future__ import annotations

from flagstone.portal.catalog.plugin import email_of

USER = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {{name: {name}}}
spec: {{memberOf: [], profile: {profile}}}
"""


def test_a_user_of_the_catalog_is_reached_at_the_address_of_their_profile(small):
    people = {"ada": "{email: ada@acme.example}", "bo": "{displayName: Bo}", "cy": "{email: none}"}
    small.write("people.yaml", "---".join(USER.format(name=name, profile=said) for name, said in people.items()))
    small.add("people.yaml")
    assert email_of(small.catalog, "user:default/ada") == "ada@acme.example"
    for nobody in ("user:default/bo", "user:default/cy", "user:default/dee"):
        assert email_of(small.catalog, nobody) is None
