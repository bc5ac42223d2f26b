"""Members (会员): the real-name record of each member, and the dated memberships (会籍) it holds.

Promises: name, identity number and phone are sealed under the record's own key; a natural person
has one active membership in the city; whoever lists or opens records sees them masked, and only
inside the own scope, which row-level security checks a second time. A record carries its union's
two paths; they follow the union in the same commit.
Refuses: to show anything unmasked; to tell anybody outside the scope, by a count, an error or a
code, that a person is a member. Only a collector who may enter members here learns that one is.

What lies in clear: the union, the state, and ``name_mask`` (the surname's first character and two
stars, whatever the length), which every reader of a list may see anyway. Masked numbers are not
stored: together with a name they would tell too much to the finder of a dump; they are made when
shown, by opening the seal.
"""
