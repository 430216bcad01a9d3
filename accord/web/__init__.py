"""The labelling server: pages for people, the same doors by HTTP for programs.

app.py        puts the server together; settings.py says how it starts
security.py   signed cookies and forms; passwords.py; middleware.py: headers, sizes, hosts
deps.py       who asks and what may they do: the dependencies of routes
routes/       one file for each group of addresses
presets/      kinds of tasks and guidelines that ship
"""
