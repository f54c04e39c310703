import sqlite3

connection = sqlite3.connect("a.db")
connection.execute("pragma journal_mode=wal")
connection.execute("create table t(x)")
connection.execute("insert into t values (1)")
connection.commit()
connection.close()
