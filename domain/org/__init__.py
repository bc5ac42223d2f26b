"""Organisation (组织): unions in their matrix of territory and line, departments, employers, seats.

Promises: each union's two paths say where it stands, and they are right for the whole subtree, and
for the members in it, at every commit; no union is above itself; a seat that ends takes its rights
with it at that instant. The directory (name, level, place) is open to every signed-in account:
a trade union is a public body (公开工会信息), and members choose their union from it. Registration
numbers, figures and terms are shown only inside the reader's scope (管辖范围).
Refuses: to say who may do what (``access``), to know members, to delete a union with a history.
"""
