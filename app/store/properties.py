"""The table of properties: the versions of the tables of a database, and the folders that belong to it."""

from sqlalchemy import Column, MetaData, Table, Text

metadata = MetaData()
properties = Table(
    "properties", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False)
)
